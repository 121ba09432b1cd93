"""The WSGI application: `gunicorn besedka.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "besedka.settings")
application = get_wsgi_application()
