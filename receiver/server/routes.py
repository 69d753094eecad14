"""From a request to its endpoint: exact paths, and the methods of each.

A table and no `aiohttp.web.Application`, whose resolver would cost a notification more than its decoding does.
"""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from receiver.server.answers import refusal

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Routes = Mapping[str, Mapping[str, Handler]]
"""Path to method to handler. A path that ends with a slash stands for those with one more segment."""


class Router:
    """Calls the handler of a request, or says that there is none."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with the handler of path and method; HEAD is GET, whose body is left out when it is written."""
        path = request.path
        methods = self._routes.get(path) or self._routes.get(path[: path.rfind("/") + 1])
        if methods is None:
            return refusal(404, "there is nothing here")
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            return refusal(405, "this method is not for this path", headers={"Allow": _allow(methods)})
        return await handler(request)


def _allow(methods: Mapping[str, Handler]) -> str:
    return ", ".join(sorted({*methods, "HEAD"} if "GET" in methods else methods))
