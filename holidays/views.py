from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from holidays.queries.mine import closures_for


@login_required
def holiday_list(request: HttpRequest) -> HttpResponse:
    """What is left of this year, and the next; what is over stays listed until the year is."""
    today = timezone.localdate()
    found = closures_for(
        user=request.user, first=date(today.year, 1, 1), last=date(today.year + 1, 12, 31)
    )
    context = {"holidays": found, "today": today, "years": [today.year, today.year + 1]}
    return render(request, "holidays/list.html", context)
