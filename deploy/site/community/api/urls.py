"""The URL table of the API."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from . import views

router = SimpleRouter()
router.register("authors", views.Authors)
router.register("articles", views.Articles)
router.register("talks", views.Talks)
urlpatterns = [
    path("me/", views.Me.as_view()),
    path("statistics/", views.Statistics.as_view()),
    path("moderation/", views.Moderation.as_view()),
    *router.urls,
]
