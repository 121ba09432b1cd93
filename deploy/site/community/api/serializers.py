"""What goes over the wire."""

from rest_framework import serializers

from ..models import Article, Author, Talk


class AuthorSerializer(serializers.ModelSerializer):
    """An author."""

    class Meta:
        model = Author
        fields = ["id", "name"]


class ArticleSerializer(serializers.ModelSerializer):
    """An article; the owner is whoever posted it."""

    class Meta:
        model = Article
        fields = ["id", "title", "text", "owner"]
        read_only_fields = ["owner"]


class TalkSerializer(serializers.ModelSerializer):
    """Something said."""

    class Meta:
        model = Talk
        fields = ["id", "text", "owner"]
        read_only_fields = ["owner"]
