"""The API's declaration, which every module of routes adds to."""

from pileus.core import faults
from pileus.core.routes import Service

# Also at the root, so that OS_AUTH_URL=http://HOST:5000/v3 works. A denied request is 403, whether or not the thing
# exists: policy is asked first.
api = Service("identity", "/identity", faults.identity, aliases=("",), denied_is_missing=False)
