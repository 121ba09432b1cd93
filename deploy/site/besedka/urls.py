"""The URL table."""

from django.urls import include, path

from community import pages, sign_in

urlpatterns = [
    path("", pages.home, name="home"),
    path("register/", pages.register, name="register"),
    path("moderators/", pages.moderators, name="moderators"),
    path("chat/", pages.chat, name="chat"),
    path("chat/open/", pages.chat_open, name="chat-open"),
    path("chat/headers/", pages.chat_headers, name="chat-headers"),
    path("language/", pages.language, name="language"),
    path("oidc/login/", sign_in.begin, name="sign-in"),
    path("oidc/callback/", sign_in.callback, name="callback"),
    path("oidc/logout/", sign_in.sign_out, name="sign-out"),
    path("oidc/backchannel-logout/", sign_in.backchannel_logout, name="backchannel-logout"),
    path("api/", include("community.api.urls")),
]
handler403 = "community.pages.forbidden"
handler404 = "community.pages.not_found"
