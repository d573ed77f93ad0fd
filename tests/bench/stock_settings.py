"""django-waffle as it comes, beside which our check is measured: its own flags, and the cache that
STOCK_CACHE names (LocMem, or the address of a Redis).

The database connection has the school's own options, so that neither side is helped.
"""

import os

from config import environment

SECRET_KEY = "benchmark"
DATABASES = {"default": environment.database(os.environ["STOCK_DATABASE_URL"], pooled=False)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "waffle"]
_redis = os.environ["STOCK_CACHE"]
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": _redis}
    if _redis
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
USE_TZ = True
