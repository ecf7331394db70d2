"""The HTTP side as one ASGI application: the API, the screens, and what holds for both."""

from fastapi import FastAPI

from worker.admin.api.described import describe
from worker.admin.api.routes import router as api
from worker.admin.context import AdminContext
from worker.admin.cross_site import CrossSiteGuard
from worker.admin.headers import SecurityHeaders
from worker.admin.limits import BodyLimit, Pace, question_pace
from worker.admin.problems import answer_with_problems
from worker.admin.screens.failures import as_page_or_json
from worker.admin.screens.routes import router as screens
from worker.admin.sign_in import router as sign_in


def make_app(context: AdminContext) -> FastAPI:
    """The middleware that is added last is met first."""
    app = FastAPI(
        title="Accounting sync",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    app.state.pace = Pace()
    app.state.question_pace = question_pace()
    app.include_router(api)
    app.include_router(sign_in)
    app.include_router(screens)
    app.add_middleware(BodyLimit)
    app.add_middleware(CrossSiteGuard, origin=context.public_url, answer=as_page_or_json)
    answer_with_problems(app, as_page_or_json)
    app.add_middleware(SecurityHeaders, origin=context.public_url)
    describe(app)
    return app
