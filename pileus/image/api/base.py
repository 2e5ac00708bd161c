"""The API's declaration, which every module of routes adds to, and the lookup they share."""

from pileus.core import faults
from pileus.core.routes import Service
from pileus.core.wire import Request
from pileus.image import images
from pileus.image.store import Image

# who may see an image but not change it is told 403; the lookup alone says 404
api = Service(
    "image",
    "/image",
    faults.image,
    denied_is_missing=False,
    nameless_is_missing=True,
    unseen_is_missing=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    in_projects=True,
)


def image(rq: Request, image_id: str, *_: str) -> Image:
    """An image the caller sees, in the request's transaction, or in one of its own where a request streams."""
    with rq.cloud.db.read() as tx:
        return images.get_image(tx, rq.ctx, image_id)
