//! Applications and tokens of django-oauth-toolkit.
