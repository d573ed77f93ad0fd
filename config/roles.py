"""What the four groups may do. Kept equal to this table after every migrate."""

from typing import Any

from django.contrib.auth.models import Group, Permission

OFFICE = {
    "enrollment": (
        "teacher",
        "student",
        "course",
        "courseunit",
        "enrollment",
        "lesson",
        "unitdone",
    ),
    "scheduling": ("availabilityrule", "availabilityexception", "timeoff", "bookingpolicy"),
    "holidays": ("holiday", "region", "teacherregion"),
}
ACTIONS = ("view", "add", "change", "delete")


def _all(app: str, models: tuple[str, ...]) -> set[tuple[str, str]]:
    return {(app, f"{action}_{model}") for model in models for action in ACTIONS}


ROLES: dict[str, set[tuple[str, str]]] = {
    "student": set(),
    "teacher": set(),
    # The office; may also turn flags.
    "staff": {permission for app, models in OFFICE.items() for permission in _all(app, models)}
    | {
        ("rollback", "view_flag"),
        ("rollback", "change_flag"),
        ("rollback", "view_flagchange"),
        ("rollback", "view_incident"),
        ("rollback", "view_verification"),
        ("rollback", "view_trigger"),
        ("rollback", "view_judgment"),
        # What people reported; to answer, and to enter what somebody said on the phone.
        ("rollback", "view_complaint"),
        ("rollback", "change_complaint"),
        # By hand; with the right to change flags also by taking something away.
        ("rollback", "add_incident"),
        # Acknowledging, deciding, noting, reviewing; resolving: after it, features may be raised again.
        ("rollback", "change_incident"),
        # What the public is told: of incidents, of planned work, and above every page.
        ("rollback", "view_publicupdate"),
        ("rollback", "add_publicupdate"),
        ("rollback", "view_maintenance"),
        ("rollback", "add_maintenance"),
        ("rollback", "change_maintenance"),
        ("rollback", "view_banner"),
        ("rollback", "add_banner"),
        ("rollback", "change_banner"),
        ("rollback", "delete_banner"),
        ("rollback", "view_affectedperson"),
        # What is written to them: to release it, pause and stop it, write again.
        ("rollback", "send"),
        ("rollback", "view_incidentaction"),
        ("rollback", "change_incidentaction"),
        # Who gets the briefings; to mail one, or anything else about an incident, is to send.
        ("rollback", "view_stakeholder"),
        ("rollback", "add_stakeholder"),
        ("rollback", "change_stakeholder"),
        ("rollback", "delete_stakeholder"),
        ("rollback", "send"),
        # The phases: to ask for one takes the right to change flags, to approve one is not for all.
        ("rollback", "view_phaserun"),
        ("rollback", "view_ledgerentry"),
        ("rollback", "view_orphan"),
        ("rollback", "view_backup"),
        ("rollback", "view_rehearsal"),
        ("rollback", "view_schemachange"),
        # Who is called, and who was; each may hand over their own shift.
        ("rollback", "view_oncallshift"),
        ("rollback", "view_page"),
        ("rollback", "view_oncallpolicy"),
        # What the school writes to people; each version says who has saved it.
        ("rollback", "view_messagetemplate"),
        ("rollback", "change_messagetemplate"),
        ("rollback", "view_enrollmentdraft"),
        # For those set aside because they could not be read: give back, or delete.
        ("rollback", "change_enrollmentdraft"),
        # What was given up is sent again; an address is written to again by taking it off the list.
        ("rollback", "view_notification"),
        ("rollback", "change_notification"),
        ("rollback", "view_deafaddress"),
        ("rollback", "delete_deafaddress"),
        # Where holidays come from. To import is to add an import; to take one back is to change it.
        ("holidays", "view_holidaysource"),
        ("holidays", "change_holidaysource"),
        ("holidays", "delete_holidaysource"),
        ("holidays", "view_holidayimport"),
        ("holidays", "add_holidayimport"),
        ("holidays", "change_holidayimport"),
        # Who waits for what; to remove somebody gives back what is held for them.
        ("scheduling", "view_waitlistentry"),
        ("scheduling", "delete_waitlistentry"),
        # That there are calendar feeds, and to revoke them; never their addresses.
        ("scheduling", "view_calendarfeed"),
        ("scheduling", "change_calendarfeed"),
        ("enrollment", "view_user"),
        ("enrollment", "view_apitoken"),
        ("enrollment", "change_apitoken"),
        # Who writes to whom, never what. To open a conversation is to add to the log of openings.
        ("enrollment", "view_thread"),
        ("enrollment", "add_messageaccess"),
        # Found by themselves; the office decides what becomes of them.
        ("enrollment", "view_conflict"),
        ("enrollment", "change_conflict"),
        ("enrollment", "view_makeupcredit"),
        ("enrollment", "change_makeupcredit"),
    },
}
ROLES["admin"] = (
    ROLES["staff"]
    | _all("enrollment", ("user",))
    | {
        ("enrollment", "view_messageaccess"),
        # The office lowers and kills; only these bring a feature to more people.
        ("rollback", "raise_flag"),
        # The second person that archiving tables needs.
        ("rollback", "approve_phase"),
        # Who is called when, where pages go besides, and how patient the school is.
        ("rollback", "add_oncallshift"),
        ("rollback", "change_oncallshift"),
        ("rollback", "delete_oncallshift"),
        ("rollback", "view_channel"),
        ("rollback", "add_channel"),
        ("rollback", "change_channel"),
        ("rollback", "delete_channel"),
        ("rollback", "change_oncallpolicy"),
        # When a feature is taken away by itself.
        ("rollback", "change_trigger"),
        # Which groups a person is in is chosen in a list that asks for this one.
        ("auth", "view_group"),
    }
)


def give_permissions(**_kwargs: Any) -> None:
    known = list(Permission.objects.values_list("pk", "content_type__app_label", "codename"))
    for name, wanted in ROLES.items():
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.set(pk for pk, app, codename in known if (app, codename) in wanted)
