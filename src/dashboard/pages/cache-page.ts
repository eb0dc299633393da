// `/cache`: the binary cache, the disks behind it, and the largest systems.
import { isPresent, type CacheState } from "../../fleet/fleet-status.ts";
import type { UpdateEvent } from "../../protocol/update-events.ts";
import { formatBytes } from "../../words/duration.ts";
import { verifyCommand } from "../../words/next-commands.ts";
import { hostPath } from "../page/addresses.ts";
import { html, type Html } from "../page/html.ts";
import { section, titled, type Page, type Section } from "../page/page.ts";
import { bar, commands, moment, nothing, state, table } from "../page/parts.ts";
import { diskCell } from "./queue-page.ts";
import type { PageContext } from "./page-context.ts";

const mostClosures = 12;

export async function cachePage({ picture, reader, now }: PageContext, signal: AbortSignal): Promise<Page> {
  const { cache } = picture;
  const isDown = cache !== undefined && "reason" in cache;
  const updates = (
    await Promise.all(picture.updates.map(async ({ repo }) => reader.updates.of(repo, signal)))
  ).flat();
  const present = picture.builders.filter((builder) => isPresent(builder, now));
  const notCached = picture.hosts.filter((host) => host.cached === false);
  return {
    status: 200,
    title: isDown ? "✗ does not answer · Cache" : "Cache",
    tone: isDown ? "bad" : "idle",
    place: "/cache",
    sections: [
      section("head", html`<h1>Cache</h1>`),
      section("answer", answer(cache)),
      titled(
        "hosts",
        "Hosts",
        notCached.length === 0
          ? html`<p>${picture.hosts.some((host) => host.cached === true) ? "Every host whose system was looked for is served." : "No builder looks whether the cache serves what it built (cache.url)."}</p>`
          : table(
              "Not served",
              [{ title: "Host" }, { title: "Built" }],
              notCached.map((host) => [
                html`<a href="${hostPath(host)}">${host.repo}/${host.host}</a>`,
                html`${moment(host.at)}`,
              ]),
            ),
      ),
      titled(
        "disks",
        "Disks",
        present.length === 0
          ? nothing("No builder reports its disk")
          : table(
              "Disks with the store",
              [{ title: "Builder" }, { title: "Free" }],
              present.map((builder) => [builder.name, diskCell(builder)]),
            ),
      ),
      ...closureSection(updates),
      titled(
        "commands",
        "On the command line",
        commands([
          ["what the store keeps", "homelab-deploy cache status"],
          ["prove that everything is served", verifyCommand],
          ["what may go", "homelab-deploy cache report"],
        ]),
      ),
    ],
  };
}

function answer(cache: CacheState | undefined): Html {
  if (cache === undefined) {
    return nothing(
      "No cache is configured",
      html`<p>Set <code>cache.url</code> to the binary cache that serves what is built.</p>`,
    );
  }
  if ("reason" in cache) {
    return html`<div class="card bad"><h3>${state("bad", "does not answer")}</h3><p><code>${cache.url}</code></p><p>${cache.reason}</p></div>`;
  }
  const { info, latencyMs } = cache;
  return html`<div class="card good"><h3>${state("good", `answers in ${latencyMs.toFixed(1)} ms`)}</h3><dl class="facts"><div><dt>Address</dt><dd><code>${cache.url}</code></dd></div><div><dt>Store</dt><dd><code>${info.storeDirectory}</code></dd></div><div><dt>Priority</dt><dd>${info.priority ?? "50, Nix's own"}</dd></div><div><dt>Many paths at once</dt><dd>${info.wantMassQuery ? "yes" : "no"}</dd></div></dl></div>`;
}

/** As the last update of each host measured it. */
function closureSection(updates: readonly UpdateEvent[]): readonly Section[] {
  const sizes = new Map<string, { readonly bytes: number; readonly delta: number; readonly at: string }>();
  for (const { repo, effect, at } of updates) {
    for (const { host, closureSize, sizeDelta } of effect?.hosts ?? []) {
      const name = `${repo}/${host}`;
      const known = sizes.get(name);
      if (known === undefined || known.at < at) sizes.set(name, { bytes: closureSize, delta: sizeDelta, at });
    }
  }
  if (sizes.size === 0) return [];
  const largest = [...sizes].toSorted(([, a], [, b]) => b.bytes - a.bytes).slice(0, mostClosures);
  const most = largest[0]?.[1].bytes ?? 1;
  return [
    titled(
      "closures",
      "Largest systems",
      table(
        "As the last update measured them",
        [
          { title: "Host" },
          { title: "Closure" },
          { title: "By the update", className: "right" },
          { title: "When" },
        ],
        largest.map(([name, { bytes, delta, at }]) => [
          name,
          html`<span class="progress">${bar(bytes / most, "idle")}<span class="number">${formatBytes(bytes)}</span></span>`,
          `${delta < 0 ? "-" : "+"}${formatBytes(Math.abs(delta))}`,
          html`${moment(at)}`,
        ]),
      ),
    ),
  ];
}
