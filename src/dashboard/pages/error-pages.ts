// Pages for what cannot be shown: what is wrong, and where to go from there.
import { HomelabError } from "../../base/errors.ts";
import { html, type HtmlValue } from "../page/html.ts";
import { section, type Page, type Tone } from "../page/page.ts";
import { nothing } from "../page/parts.ts";

const plain = (status: number, title: string, tone: Tone, ...advice: readonly HtmlValue[]): Page => ({
  status,
  title,
  tone,
  place: "",
  sections: [section("error", html`<h1 class="unseen">${title}</h1>`, nothing(title, ...advice))],
});

export const notFound = (what = "There is no such page", hint = ""): Page =>
  plain(
    404,
    what,
    "idle",
    html`<p>${hint}</p><p><a href="/">See the fleet</a> or <a href="/builds">the builds</a></p>`,
  );

export const noPermission = (why: string): Page =>
  plain(
    403,
    "Sign in to see this",
    "idle",
    html`<p>${why}</p><p>Open the dashboard through the proxy that signs people in.</p>`,
  );

/** The page for an error that a person can act on; undefined for a bug. */
export function errorPage(error: unknown): Page | undefined {
  if (!(error instanceof HomelabError)) return undefined;
  const { kind, message, hint = "", code } = error;
  if (kind === "usage") return notFound(capital(message), hint);
  return plain(
    503,
    "This cannot be read now",
    "warn",
    html`<p>${message}</p><p>${hint}</p><p class="dim">${code}. The page comes back by itself when it can.</p>`,
  );
}

export const internalError = (): Page =>
  plain(
    500,
    "A bug in homelab-deploy",
    "bad",
    html`<p>This page could not be rendered. The dashboard's log says why.</p>`,
  );

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
