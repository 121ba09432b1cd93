"""The ways of permitting that people know, by what is in the token.

From the framework itself: `IsAuthenticated`, `IsAdminUser` (asks `is_staff`: the administrators' role) and `IsAuthenticatedOrReadOnly`.
"""

from rest_framework.permissions import SAFE_METHODS, BasePermission

from .errors import ScopeMissing

_VERBS = {"POST": "add", "PUT": "change", "PATCH": "change", "DELETE": "delete"}


class ModelScopes(BasePermission):
    """Model permissions as scopes: everybody reads, `authors.add`, `authors.change` and `authors.delete` write.

    The view names the model by `scope_model`.
    """

    def has_permission(self, request, view):
        """Judged by the method."""
        if request.method in SAFE_METHODS:
            return True
        if not request.user.is_authenticated or request.method not in _VERBS:
            return False
        scope = f"{view.scope_model}.{_VERBS[request.method]}"
        if not request.user.has_scope(scope):
            raise ScopeMissing(scope)
        return True


def HasRole(*roles):  # noqa: N802 - used as the name of a class
    """People with one of these roles."""

    class _HasRole(BasePermission):
        message = f"One of these roles is needed: {', '.join(roles)}"

        def has_permission(self, request, view):
            return request.user.is_authenticated and not request.user.roles.isdisjoint(roles)

    return _HasRole


class IsOwnerOrReadOnly(BasePermission):
    """Whoever made the object changes it. Beside `IsAuthenticatedOrReadOnly`, which judges the making."""

    message = "Only its owner may change this"

    def has_object_permission(self, request, view, obj):
        """Compared by `sub`, which never becomes somebody else's."""
        return request.method in SAFE_METHODS or obj.owner == request.user.subject


class ReadPostAdminister(BasePermission):
    """Anyone reads, members post, administrators everything."""

    message = "Only an administrator may do this"

    def has_permission(self, request, view):
        """Posting is for people with a role; a service's own token has none."""
        if request.method in SAFE_METHODS:
            return True
        if not request.user.is_authenticated:
            return False
        return request.user.is_staff or (request.method == "POST" and bool(request.user.roles))
