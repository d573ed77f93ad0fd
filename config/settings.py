"""The one settings file. Everything comes from the environment (.env.example has a sentence for each).

With nothing set the school runs on a desk: embedded PostgreSQL, its own queue and a mail catcher.
With SCHOOL_ENV=production every unsafe value is refused, all of them named at once.
"""

import logging
import sys
from pathlib import Path
from urllib.parse import urlsplit

import environ
import structlog
from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from config import environment, providers
from config.local import database as embedded
from config.local import place
from config.logged import without_rows
from enrollment.api.words import ABOUT

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env", overwrite=False)
VAR = place.var()

PRODUCTION = environment.choice(env, "SCHOOL_ENV", ("desk", "production"), "desk") == "production"
DEBUG = False
TESTING = "pytest" in sys.modules

SITE_URL = environment.text(env, "SITE_URL", "http://localhost:8000").rstrip("/")
SECRET_KEY = environment.text(env, "SECRET_KEY", environment.DESK_KEY_PREFIX + "k" * 50)
ALLOWED_HOSTS = environment.words(env, "ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
if not PRODUCTION:
    environment.refuse_desk_key(secret_key=SECRET_KEY, allowed_hosts=ALLOWED_HOSTS)
CSRF_TRUSTED_ORIGINS = [SITE_URL]
# Pages that may open a websocket learn of a switch at once; without, with the next click.
SOCKET_URL = environment.socket_address(env, "SOCKET_URL")
# Many socket processes, one of which listens to the database; without, each listens by itself.
CHANNEL_LAYER_URL = environment.redis_address(env, "CHANNEL_LAYER_URL")
PROXIES = environment.number(env, "PROXIES", 0)
BROWSER_TIMINGS_PERCENT = environment.percent(env, "BROWSER_TIMINGS_PERCENT", 20)
# Who may read /metrics: whoever sends the token, or asks from there. With neither there is no such page.
METRICS_TOKEN = environment.metrics_token(env, "METRICS_TOKEN")
METRICS_ALLOW = environment.networks(env, "METRICS_ALLOW")
# Whether mails go out and programs elsewhere are told anything; a copy of the school must not call the real
# one's people.
OUTWARD_REQUESTS = environment.boolean(env, "OUTWARD_REQUESTS", default=True)
# Asked for each minute by whoever judges the triggers: a service outside misses it when nobody does.
HEARTBEAT_URL = environment.ping_address(env, "HEARTBEAT_URL", https_only=PRODUCTION)

# ---------------------------------------------------------------- database, queue, mail
DATABASE_URL = environment.text(env, "DATABASE_URL", "") or embedded.url(VAR / "postgres")
DATABASE_POOLED = environment.boolean(env, "DATABASE_POOLED", default=False)
DATABASES = {"default": environment.database(DATABASE_URL, pooled=DATABASE_POOLED)}
DATABASE_FAILURES = environment.positive(env, "DATABASE_FAILURES", 3)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---------------------------------------------------------------- the schema
# Whether `migrate` wants a proved backup of exactly this plan. A test's database is made by it.
SCHEMA_GUARD = not TESTING and environment.boolean(env, "SCHEMA_GUARD", default=PRODUCTION)
# Whether the database's name has to be typed before its schema is changed: it is none of a desk or a test.
SCHEMA_CONFIRM = PRODUCTION or not embedded.is_ours(DATABASE_URL, VAR / "postgres")
SCHEMA_BREAK_GLASS = environment.text(env, "SCHEMA_BREAK_GLASS", "")
MIGRATION_RULES = BASE_DIR / "config" / "migrations.toml"

# ---------------------------------------------------------------- backups
BACKUP_DIR = environment.folder(env, "BACKUP_DIR", VAR / "backups")
# Signs receipts; without one SECRET_KEY does, and a new SECRET_KEY makes every older receipt worthless.
BACKUP_KEY = environment.signing_key(env, "BACKUP_KEY")
# Past a pooler, or as a user who may make databases. Without: as everything else.
BACKUP_DATABASE_URL = environment.database_address(env, "BACKUP_DATABASE_URL")
PG_BIN = environment.text(env, "PG_BIN", "")
BACKUP_NIGHTLY = environment.boolean(env, "BACKUP_NIGHTLY", default=PRODUCTION)
BACKUP_KEEP = environment.at_least(env, "BACKUP_KEEP", 14, fewest=2)

CELERY_BROKER_URL = environment.text(env, "CELERY_BROKER_URL", "") or environment.OWN_QUEUE
CELERY_BROKER_TRANSPORT_OPTIONS = environment.broker_options(CELERY_BROKER_URL, DATABASE_URL)
CELERY_BROKER_CONNECTION_TIMEOUT = environment.BROKER_SECONDS
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_SERIALIZER = "json"
CELERY_TIMEZONE = "UTC"
# A page must not hang on a dead queue: what is told to people is a row that beat finds again.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "send-due-confirmations": {
        "task": "enrollment.tasks.send_due_confirmations",
        "schedule": 30.0,
    },
    "send-due-notices": {"task": "enrollment.tasks.send_due_notices", "schedule": 30.0},
    "delete-expired-holds": {"task": "enrollment.tasks.delete_expired_holds", "schedule": 60.0},
    "delete-expired-uploads": {
        "task": "enrollment.tasks.delete_expired_uploads",
        "schedule": 600.0,
    },
    "find-conflicts": {"task": "enrollment.tasks.find_conflicts", "schedule": 90.0},
    "compare-zone-data": {
        "task": "enrollment.tasks.compare_zone_data",
        "schedule": crontab(minute="15", hour="4"),
    },
    # Late it is worth nothing: the next one sees the same and more, and nothing piles up.
    "evaluate-triggers": {
        "task": "rollback.tasks.evaluate",
        "schedule": 10.0,
        "options": {"expires": 9.0},
    },
    # As above: the rows wait, not the tasks.
    "send-notifications": {
        "task": "rollback.tasks.send_notifications",
        "schedule": 10.0,
        "options": {"expires": 9.0},
    },
    "call-on-call": {
        "task": "rollback.tasks.call_on_call",
        "schedule": 15.0,
        "options": {"expires": 14.0},
    },
    # Whoever asks makes it as well; so it is young where nobody asks.
    "make-status": {
        "task": "rollback.tasks.make_status",
        "schedule": 30.0,
        "options": {"expires": 29.0},
    },
    "delete-old-judgments": {
        "task": "rollback.tasks.delete_old_judgments",
        "schedule": crontab(minute="50", hour="3"),
    },
    "send-due-reminders": {"task": "rollback.tasks.send_due_reminders", "schedule": 600.0},
    "delete-old-answers": {"task": "scheduling.tasks.delete_old_answers", "schedule": 3600.0},
    "delete-expired-drafts": {
        "task": "rollback.tasks.delete_expired_drafts",
        "schedule": crontab(minute="30", hour="3"),
    },
    "delete-old-timings": {
        "task": "rollback.tasks.delete_old_timings",
        "schedule": crontab(minute="40", hour="3"),
    },
    "close-abandoned-sessions": {
        "task": "rollback.tasks.close_abandoned_sessions",
        "schedule": 60.0,
    },
    "roll-up-samples": {"task": "rollback.tasks.roll_up_samples", "schedule": 3600.0},
    "delete-old-sessions": {
        "task": "rollback.tasks.delete_old_sessions",
        "schedule": crontab(minute="50", hour="3"),
    },
    "forget-old-reports": {
        "task": "rollback.tasks.forget_old_reports",
        "schedule": crontab(minute="52", hour="3"),
    },
    # Several times a night: once one is proved, the others do nothing.
    "make-backup": {
        "task": "rollback.tasks.backup",
        "schedule": crontab(minute="10", hour="1-4"),
    },
    "look-for-backup": {
        "task": "rollback.tasks.look_for_backup",
        "schedule": crontab(minute="25"),
    },
    "take-baselines": {
        "task": "rollback.tasks.take_baselines",
        "schedule": crontab(minute="55", hour="3"),
    },
    "remind-teachers-without-hours": {
        "task": "scheduling.tasks.remind_teachers_without_hours",
        # An interval of a week would begin anew with every restart. The rows make it once a week.
        "schedule": crontab(minute="0", hour="6"),
    },
    "compare-holidays": {
        "task": "holidays.tasks.look_for_differences",
        "schedule": crontab(minute="45", hour="4"),
    },
    "fill-waitlist": {"task": "scheduling.tasks.fill_waitlist", "schedule": 30.0},
}

EMAIL_URL = environment.text(env, "EMAIL_URL", "") or "smtp://127.0.0.1:8025"
vars().update(environ.Env.email_url_config(EMAIL_URL))
EMAIL_TIMEOUT = 10
# Instead of by SMTP: through a provider. vars() is these settings.
EMAIL_PROVIDER = providers.name(env)
ANYMAIL: dict[str, object] = {}
if EMAIL_PROVIDER:
    vars().update(providers.settings_of(EMAIL_PROVIDER, env, timeout=EMAIL_TIMEOUT))
# Signs what is told of mails that came back (/hooks/mail/). Without there is no such page.
MAIL_WEBHOOK_SECRET = environment.signing_key(env, "MAIL_WEBHOOK_SECRET")
DEFAULT_FROM_EMAIL = environment.text(
    env, "DEFAULT_FROM_EMAIL", "Riverside School <office@school.example>"
)
SERVER_EMAIL = DEFAULT_FROM_EMAIL
MAIL_READER_URL = environment.text(env, "MAIL_READER_URL", "")

# ---------------------------------------------------------------- applications
INSTALLED_APPS = [
    "scheduling",
    "holidays",
    "rollback",
    "enrollment",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.import_export",
    "config.apps.OfficeAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "csp",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "import_export",
    "rest_framework",
    "waffle",
    # Last: after a migrate it gives the groups permissions that the other apps have just made.
    "config.apps.SitePlanConfig",
]

if EMAIL_PROVIDER:
    INSTALLED_APPS.append("anymail")

MIDDLEWARE = [
    # First on purpose: what machines ask must not depend on anything below.
    "rollback.health.first.Probes",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "rollback.doors.logged.RequestLog",
    "config.security.ContentSecurity",
    # Before whatever asks the database.
    "rollback.public.middleware.StatusPage",
    "rollback.doors.lost.LostDatabase",
    "config.fragments.Fragments",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "enrollment.token_login.TokenLogin",
    # Last on purpose: whoever is turned away has passed CSRF and login first.
    "rollback.doors.middleware.FeatureDoor",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "rollback.doors.context.features",
                "rollback.doors.banner.site_notices",
                "config.context.site",
            ],
        },
    },
]

# ---------------------------------------------------------------- the switchboard
FEATURES = "config.features.FEATURES"
PROBES = "config.probes.PLAN"
PRESERVED_FACTS = "config.facts.FACTS"
# Signs what `rollback export` writes; an import of a school with a key takes what was signed with the same.
PRESERVATION_KEY = environment.signing_key(env, "PRESERVATION_KEY")
REHEARSAL = "config.rehearsal.journey"
WAFFLE_FLAG_MODEL = "rollback.Flag"
WAFFLE_FLAG_DEFAULT = False
WAFFLE_CREATE_MISSING_FLAGS = False
WAFFLE_OVERRIDE = False
WAFFLE_ENABLE_ADMIN_PAGES = False
WAFFLE_LOG_MISSING_FLAGS = logging.ERROR
# Our flag model replaces waffle's, and nothing uses its switches and samples: its migrations would
# only leave empty tables behind that hold on to our groups and users by foreign keys.
# The same goes for knox, whose token model is ours.
MIGRATION_MODULES = {"waffle": None, "knox": None}

# ---------------------------------------------------------------- people
AUTH_USER_MODEL = "enrollment.User"
AUTHENTICATION_BACKENDS = ["enrollment.known.KnownPeople"]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = reverse_lazy("enrollment:home")
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "config.accounts.SignupNames"
ACCOUNT_ADAPTER = "config.accounts.SchoolAccounts"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "optional"
# One address for each person; a new one counts once it is confirmed.
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_LOGOUT_REDIRECT_URL = reverse_lazy("enrollment:catalog")
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key", "signup": "20/h/ip"}
ALLAUTH_TRUSTED_PROXY_COUNT = PROXIES
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# Shared by the processes, so that a rate limit counts once; a flag check never touches it.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "django_cache",
        # Django keeps 300, and whoever asks from enough addresses would throw out the counters.
        "OPTIONS": {"MAX_ENTRIES": 1_000_000},
    }
}

# ---------------------------------------------------------------- language, zone
LANGUAGE_CODE = "en"
LANGUAGES = environment.languages(env, "SCHOOL_LANGUAGES", ["en", "de", "es"])
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
FORMAT_MODULE_PATH = ["config.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = environment.zone(env, "TIME_ZONE", "Europe/Berlin")

# ---------------------------------------------------------------- static files
STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
MEDIA_ROOT = VAR / "media"
# The status page as files, of this machine.
STATUS_DIR = environment.folder(env, "STATUS_DIR", VAR / "status")

# ---------------------------------------------------------------- security
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = urlsplit(SITE_URL).scheme == "https"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if PROXIES:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
if PRODUCTION:
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF, *([SOCKET_URL] if SOCKET_URL else [])],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# The admin's Alpine.js evaluates expressions and sets style attributes; only /admin/ gets this one.
ADMIN_CONTENT_SECURITY_POLICY = {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src-attr": ["'unsafe-inline'"],
}

# ---------------------------------------------------------------- API
REST_FRAMEWORK = {
    # The first one names the scheme in a 401.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "enrollment.token_login.ApiTokens",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["enrollment.api.reading.JSONParser"],
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "enrollment.api.described.ApiSchema",
    "DEFAULT_THROTTLE_CLASSES": ["enrollment.api.throttling.Throttle"],
    # Each person, or each address of those who have not logged in. `bookings`: whatever writes there.
    "DEFAULT_THROTTLE_RATES": {"user": "600/minute", "bookings": "60/minute", "anon": "120/minute"},
    "NUM_PROXIES": PROXIES,
    "EXCEPTION_HANDLER": "enrollment.api.problems.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
KNOX_TOKEN_MODEL = "enrollment.ApiToken"  # noqa: S105 - a model
SPECTACULAR_SETTINGS = {
    "TITLE": _("The school for programs"),
    "DESCRIPTION": ABOUT,
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SCHEMA_PATH_PREFIX": "/api/v1/availability",
    # As in urls.py, from what is asked first to what is changed.
    "SORT_OPERATIONS": False,
    # From a package of ours, never from another server.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": False},
    "ENUM_NAME_OVERRIDES": {"LessonStatus": "scheduling.serializers.answered.STATUSES"},
}

UNFOLD = {
    "SITE_TITLE": _("School office"),
    "SITE_HEADER": _("School office"),
    "SITE_SYMBOL": "school",
    "ACCOUNT": {
        "navigation": [
            {"title": _("Report a problem"), "link": reverse_lazy("watch:report")},
        ]
    },
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [
        lambda request: static("rollback/admin.css"),
        lambda request: static("enrollment/office.css"),
        lambda request: static("rollback/notices.css"),
    ],
    "SCRIPTS": [
        lambda request: static("rollback/admin.js"),
        lambda request: static("enrollment/office.js"),
    ],
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("enrollment/logo.svg"),
        }
    ],
}

# ---------------------------------------------------------------- log
# Of every line, whoever logs it: the ids of the request or task, and how bad it is.
SHARED_PROCESSORS = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level]
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *SHARED_PROCESSORS,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"without_keys": {"()": "rollback.doors.addresses.WithoutKeys"}},
    "formatters": {
        "line": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": SHARED_PROCESSORS,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                without_rows,
                structlog.processors.JSONRenderer(ensure_ascii=False)
                if PRODUCTION
                else structlog.dev.ConsoleRenderer(colors=False),
            ],
        }
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["without_keys"],
        }
    },
    "root": {
        "handlers": ["console"],
        "level": environment.choice(
            env, "LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"
        ),
    },
    "loggers": {
        "django.server": {"level": "WARNING"},
        # Each task has a line of ours.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        # They write the address as it was asked, with whatever key is in it.
        "django.request": {"filters": ["without_keys"]},
        "django.security.csrf": {"filters": ["without_keys"]},
    },
}

if PRODUCTION:
    environment.refuse_unsafe(
        secret_key=SECRET_KEY,
        allowed_hosts=ALLOWED_HOSTS,
        site_url=SITE_URL,
        database_named=bool(environment.text(env, "DATABASE_URL", "")),
        email_named=bool(environment.text(env, "EMAIL_URL", "") or EMAIL_PROVIDER),
        backups_named=bool(environment.text(env, "BACKUP_DIR", "")),
        guarded=SCHEMA_GUARD or TESTING,
    )
