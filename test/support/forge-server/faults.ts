// What goes wrong on purpose. A fault waits for the request that it is about, and is used up by it.

export interface CannedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Effect =
  /** Instead of the forge. */
  | { readonly type: "answer"; readonly answer: CannedAnswer }
  /** The connection ends before anything happened. */
  | { readonly type: "drop-before" }
  /** What was asked is done, and the connection ends before the answer. */
  | { readonly type: "drop-after" }
  /** Nothing comes, ever. */
  | { readonly type: "stall" }
  /** Somebody else is quicker: this happens, then the request is handled. */
  | { readonly type: "meanwhile"; readonly happens: () => Promise<unknown> };

export interface Fault {
  readonly method: string;
  /** Matches the path below the API's root, without the query. */
  readonly path: RegExp;
  readonly times: number;
  readonly effect: Effect;
}

export interface Faults {
  add(fault: Fault): void;
  /** The effect for a request, which counts as used. */
  take(method: string, path: string): Effect | undefined;
  /** Nothing goes wrong any more. */
  clear(): void;
  /** How many effects still wait for their request. */
  readonly waiting: number;
}

export function createFaults(): Faults {
  const faults: { fault: Fault; left: number }[] = [];
  return {
    add: (fault) => void faults.push({ fault, left: fault.times }),
    take(method, path) {
      const found = faults.find(
        ({ fault, left }) => left > 0 && fault.method === method && fault.path.test(path),
      );
      if (found === undefined) return undefined;
      found.left--;
      return found.fault.effect;
    },
    clear: () => void faults.splice(0),
    get waiting() {
      return faults.reduce((sum, { left }) => sum + left, 0);
    },
  };
}

const json = (status: number, message: string): CannedAnswer => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ message, url: "http://root-url.invalid/api/swagger" }),
});

/** As nginx writes it when what is behind it does not answer. */
export const badGateway: CannedAnswer = {
  status: 502,
  headers: { "content-type": "text/html" },
  body: "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body></body>\r\n</html>\r\n",
};

/** A sign-in portal, or a URL that is not the forge's. */
export const signInPage: CannedAnswer = {
  status: 200,
  headers: { "content-type": "text/html; charset=utf-8" },
  body: "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>",
};

export const tooManyRequests = (retryAfter: string): CannedAnswer => ({
  ...json(429, "slow down"),
  headers: { "retry-after": retryAfter },
});

export const tooLarge: CannedAnswer = {
  status: 413,
  headers: { "content-type": "text/html" },
  body: "<html><head><title>413 Request Entity Too Large</title></head></html>",
};

export const quotaExceeded: CannedAnswer = json(413, "quotaExceeded");

/** Right after a pull request was made. */
export const tryAgainLater: CannedAnswer = json(405, "Please try again later");

/** In production Gitea says nothing more. */
export const internalError: CannedAnswer = json(500, "");
