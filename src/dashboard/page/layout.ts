// What is around every page. Its parts that change have keys as well.
import { html, type Html } from "./html.ts";
import { htmlOf, section, type Page, type Section } from "./page.ts";
import type { View } from "./view.ts";
import { icon, moment } from "./parts.ts";
import type { FleetPicture } from "../state/fleet-picture.ts";

export interface Surroundings {
  /** Path and query of the page. */
  readonly address: string;
  /** The path of an asset, with the hash of its content in it. */
  readonly asset: (name: string) => string;
  readonly version: string;
  readonly user?: string;
  readonly grafana?: string;
}

const places = [
  ["/", "Fleet", "f"],
  ["/builds", "Builds", "b"],
  ["/rollouts", "Rollouts", "r"],
  ["/queue", "Queue", "q"],
  ["/updates", "Updates", "u"],
  ["/inputs", "Inputs", "i"],
  ["/cache", "Cache", "c"],
  ["/health", "Health", "h"],
] as const;

/** How the fleet is, on every page; it carries the title, which is not in the page's body. */
export function headline(page: Page, picture: FleetPicture, problems: readonly string[]): Section {
  const said = (): Html => {
    if (!picture.isComplete)
      return html`<span class="health idle">${icon("idle")}<span>reading …</span></span>`;
    if (problems.length === 0)
      return html`<span class="health good">${icon("good")}<span>all is well</span></span>`;
    const [first = "", ...more] = problems;
    return html`<a class="health bad" href="/health">${icon("bad")}<span>${first}${more.length > 0 && ` and ${more.length} more`}</span></a>`;
  };
  return section(
    "headline",
    html`<div class="headline" data-title="${page.title}" data-tone="${page.tone}">${said()}</div>`,
  );
}

/** How current the page is: the browser continues counting. */
export const freshness = (picture: FleetPicture): Section =>
  section(
    "freshness",
    picture.isConnected
      ? html`<span class="freshness" data-live="yes"><span class="dot"></span><span class="said">as of ${moment(picture.asOf)}</span></span>`
      : html`<span class="freshness stale" data-live="no" data-since="${picture.asOf}"><span class="dot"></span><span class="said">${picture.isComplete ? html`stale since ${moment(picture.asOf)}, reconnecting` : "connecting to NATS"}</span></span>`,
  );

export function layout({ page, around, mark }: View, surroundings: Surroundings): Html {
  const { address, asset, version, user, grafana } = surroundings;
  const [head, fresh] = around;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title} · homelab-deploy</title>
<link rel="icon" href="${asset(`${page.tone}.svg`)}" type="image/svg+xml">
<link rel="stylesheet" href="${asset("style.css")}">
<script src="${asset("theme.js")}"></script>
<script src="${asset("client.js")}" type="module"></script>
${page.script !== undefined && html`<script src="${asset(page.script)}" type="module"></script>`}
</head>
<body data-page="${address}">
<a class="skip" href="#main">Skip to content</a>
<header>
<a class="brand" href="/"><svg class="mark" viewBox="0 0 20 20" aria-hidden="true"><path d="M10 1.8l7.1 4.1v8.2L10 18.2l-7.1-4.1V5.9z" /><path d="M10 10l7-4M10 10v8M10 10L3 6" /></svg><span>homelab-deploy</span></a>
<nav aria-label="Pages">${places.map(
    ([href, title, key]) =>
      html`<a href="${href}" data-go="${key}" aria-current="${page.place === href ? "page" : "false"}">${title}</a>`,
  )}${grafana !== undefined && html`<a href="${grafana}" rel="noopener noreferrer">Grafana</a>`}</nav>
<div class="status">${head !== undefined && htmlOf(head)}${fresh !== undefined && htmlOf(fresh)}
<button type="button" id="theme" class="quiet" aria-label="Switch between light and dark" title="Light or dark" hidden><svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="5.5" /><path class="half" d="M8 2.5a5.5 5.5 0 0 1 0 11z" /></svg></button></div>
</header>
<main id="main" tabindex="-1" data-key="main" data-mark="${mark}">${page.sections.map(htmlOf)}</main>
<footer><span>homelab-deploy ${version}</span>${user !== undefined && html`<span>signed in as ${user}</span>`}<span class="keys" hidden><kbd>?</kbd> keys</span><noscript><a href="${address}">Reload</a></noscript></footer>
<div id="announce" class="unseen" role="status" aria-live="polite"></div>
<dialog id="help" aria-labelledby="help-title"><h2 id="help-title">Keys</h2>
<dl>${[
    ["/", "search or filter"],
    ["j k", "next and previous row"],
    ["Enter", "open the row"],
    ["[ ]", "previous and next failure"],
    ["f", "follow a log"],
    ["w", "wrap long lines of a log"],
    ["n N", "next and previous hit in a log"],
    ...places.map(([, title, key]) => [`g ${key}`, title]),
    ["?", "these keys"],
  ].map(([key = "", does = ""]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
<form method="dialog"><button>Close</button></form></dialog>
</body>
</html>
`;
}
