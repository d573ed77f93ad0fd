"""All that a letter may do besides naming variables: `{% if %}`. No filter, no include, no load."""

from django.template import Library
from django.template.defaulttags import do_if

register = Library()
register.tag("if", do_if)
