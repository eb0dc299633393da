// Caches that keep their NARs elsewhere (S3, attic, cachix) answer with the place where they are.
import { headerOf, type AnswerHead } from "./answers.ts";

const redirecting = new Set([301, 302, 303, 307, 308]);
export const mostRedirects = 5;

export const isRedirect = (head: AnswerHead): boolean =>
  redirecting.has(head.status) && headerOf(head, "location") !== undefined;

/** Where the answer sends us; undefined when it sends us nowhere that can be asked. */
export function redirectTarget(head: AnswerHead, from: () => URL): URL | undefined {
  if (!isRedirect(head)) return undefined;
  const target = URL.parse(headerOf(head, "location") ?? "", from().href);
  if (target === null || !["http:", "https:"].includes(target.protocol)) return undefined;
  // A name and password in it would be those that somebody else chose.
  if (target.username !== "" || target.password !== "") return undefined;
  return target;
}

export const isWebPage = (head: AnswerHead): boolean =>
  /^\s*text\/html\b/i.test(headerOf(head, "content-type") ?? "");

/** Credentials are for the server that they are configured for, and are never shown to the whole network. */
export function mayCarry(base: URL, target: URL): "any" | "own" | "none" {
  if (base.protocol === "https:" && target.protocol === "http:") return "none";
  return base.hostname === target.hostname ? "any" : "own";
}
