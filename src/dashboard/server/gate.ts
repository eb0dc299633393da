// Who may ask what. The dashboard shows things and does nothing, so this is all that it refuses.
import { timingSafeEqual } from "node:crypto";
import { HomelabError } from "../../base/errors.ts";

export interface GateSettings {
  /** Names under which browsers may ask for it, without ports. */
  readonly allowedHosts: readonly string[];
  readonly auth:
    | { readonly mode: "none" }
    | { readonly mode: "proxy"; readonly trustedProxies: readonly string[]; readonly secret: string };
}

export interface Asked {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly remoteAddress: string | undefined;
}

export type Admission =
  | { readonly type: "admitted"; readonly user?: string }
  | { readonly type: "refused"; readonly status: 400 | 403 | 405 | 421; readonly message: string };

export const userHeader = "x-remote-user";
export const secretHeader = "x-proxy-secret";

const refused = (status: 400 | 403 | 405 | 421, message: string): Admission => ({
  type: "refused",
  status,
  message,
});

export function decideAdmission(
  { method, headers, remoteAddress }: Asked,
  settings: GateSettings,
): Admission {
  if (method !== "GET" && method !== "HEAD") return refused(405, "only GET and HEAD");
  // A page elsewhere can give its own name our address (DNS rebinding); it cannot choose this header.
  if (!settings.allowedHosts.includes(hostOf(headers["host"]))) {
    return refused(421, "this name is not in dashboard.allowedHosts");
  }
  const claims = headers[userHeader] !== undefined || headers[secretHeader] !== undefined;
  const { auth } = settings;
  if (auth.mode === "none") {
    return claims ? refused(400, "only a trusted proxy can identify a user") : { type: "admitted" };
  }
  const isProxy =
    auth.trustedProxies.includes(plainAddress(remoteAddress)) && isSecret(headers[secretHeader], auth.secret);
  if (!isProxy) {
    return claims
      ? refused(400, "only a trusted proxy can identify a user")
      : refused(403, "ask through the proxy that signs people in");
  }
  const user = headers[userHeader];
  if (user === undefined || user === "") return { type: "admitted" };
  return typeof user === "string" && user.length <= 200
    ? { type: "admitted", user }
    : refused(400, "the user's name cannot be used");
}

/** Without the port. */
function hostOf(host: string | readonly string[] | undefined): string {
  const text = typeof host === "string" ? host.toLowerCase() : "";
  return text.replace(/:\d{1,5}$/, "");
}

/** IPv4 addresses may come as IPv6: `::ffff:127.0.0.1`. */
const plainAddress = (address: string | undefined): string => (address ?? "").replace(/^::ffff:/, "");

function isSecret(given: string | readonly string[] | undefined, secret: string): boolean {
  if (typeof given !== "string") return false;
  const [a, b] = [Buffer.from(given), Buffer.from(secret)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const loopback = /^(?:127(?:\.\d{1,3}){3}|\[?::1\]?|localhost)$/;

export const isLoopback = (host: string): boolean => loopback.test(host);

/** @throws HomelabError `config` `DASHBOARD_OPEN` */
export function requireClosed(host: string, mode: "none" | "proxy"): void {
  if (mode === "proxy" || isLoopback(host)) return;
  throw new HomelabError(
    "config",
    `the dashboard would be open to everybody who can reach ${host}: it has no sign-in of its own`,
    {
      code: "DASHBOARD_OPEN",
      hint: "listen on 127.0.0.1, or set dashboard.auth.mode to proxy behind a proxy that signs people in",
    },
  );
}

/** On every answer. The scripts and styles are our own files; nothing comes from elsewhere. */
export const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
};
