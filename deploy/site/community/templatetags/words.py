"""`{% t "key" %}`"""

from django import template

from community.words import WORDS, say

register = template.Library()


@register.simple_tag(takes_context=True)
def t(context, key):
    """The sentence in the language of the page."""
    return say(context["request"], key)


@register.simple_tag(takes_context=True)
def role_name(context, role):
    """A role of the site as people call it; one that the site does not know as it is."""
    key = f"role-{role}"
    return say(context["request"], key) if key in WORDS else role
