/** Errors of the HTTP routes besides those of access/codes.ts. docs/gateway.md lists them all; a test compares. */

export const http_errors = {
  not_found: {
    status: 404,
    text: 'there is nothing at this path',
    cure: 'the paths are `/`, `/feed`, `/channels`, `/health`, `/metrics`, as they stand here; no page: the server was built without it',
  },
  method_not_allowed: { status: 405, text: 'only GET and HEAD are understood here', cure: 'see the header `allow`' },
  upgrade_required: {
    status: 426,
    text: 'this path speaks WebSocket only',
    cure: 'use a WebSocket client (version 13); a proxy must pass `upgrade` and `connection` on',
  },
  internal: {
    status: 500,
    text: 'the server failed at this request',
    cure: 'try again; while the server ends it stays so. Else it is a fault of ours: please report it',
  },
} as const;

export type HttpErrorCode = keyof typeof http_errors;

export const status_lines: Record<number, string> = {
  200: '200 OK',
  204: '204 No Content',
  304: '304 Not Modified',
  400: '400 Bad Request',
  401: '401 Unauthorized',
  403: '403 Forbidden',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  408: '408 Request Timeout',
  413: '413 Content Too Large',
  426: '426 Upgrade Required',
  429: '429 Too Many Requests',
  500: '500 Internal Server Error',
  503: '503 Service Unavailable',
};
