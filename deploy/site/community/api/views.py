"""One resource for each way of permitting."""

from rest_framework.permissions import IsAdminUser, IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from ..models import Article, Author, Person, Talk
from .permissions import HasRole, IsOwnerOrReadOnly, ModelScopes, ReadPostAdminister
from .serializers import ArticleSerializer, AuthorSerializer, TalkSerializer


class Me(APIView):
    """Authenticated only: what the token says about whoever sent it."""

    permission_classes = [IsAuthenticated]

    def get(self, request):
        user = request.user
        return Response({"sub": user.subject, "client_id": user.client_id, "roles": sorted(user.roles), "scopes": sorted(user.scopes)})


class Statistics(APIView):
    """Administrators only."""

    permission_classes = [IsAdminUser]

    def get(self, request):
        return Response({"people": Person.objects.count(), "articles": Article.objects.count(), "talks": Talk.objects.count()})


class Moderation(APIView):
    """By role: moderators and owners."""

    permission_classes = [HasRole("moderator", "owner")]

    def get(self, request):
        return Response({"talks": TalkSerializer(Talk.objects.order_by("-id")[:50], many=True).data})


class Authors(ModelViewSet):
    """By model permission: the scopes `authors.add`, `authors.change`, `authors.delete`."""

    queryset = Author.objects.order_by("id")
    serializer_class = AuthorSerializer
    permission_classes = [ModelScopes]
    scope_model = "authors"


class _Owned(ModelViewSet):
    def perform_create(self, serializer):
        serializer.save(owner=self.request.user.subject)


class Articles(_Owned):
    """Read-only for anonymous; changed by the owner of the object."""

    queryset = Article.objects.order_by("id")
    serializer_class = ArticleSerializer
    permission_classes = [IsAuthenticatedOrReadOnly, IsOwnerOrReadOnly]


class Talks(_Owned):
    """The mixed rule: anyone reads, members post, administrators everything."""

    queryset = Talk.objects.order_by("id")
    serializer_class = TalkSerializer
    permission_classes = [ReadPostAdminister]
