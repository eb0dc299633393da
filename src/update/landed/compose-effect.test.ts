import fc from "fast-check";
import { expect, test } from "vitest";
import { diffClosures } from "../../nix/store/closure-diff.ts";
import { parseCommit, parseRepoName, type StorePath } from "../../protocol/names.ts";
import { decodeUpdateEvent, encodeUpdateEvent, type UpdateEvent } from "../../protocol/update-events.ts";
import { composeEffect } from "./compose-effect.ts";
import { effectComment } from "./effect-markdown.ts";
import { effectLines, effectSentence } from "./effect-words.ts";
import type { SystemComparison } from "./system-comparison.ts";

const MiB = 1024 * 1024;
const pathOf = (name: string) => `/nix/store/${"0".repeat(32)}-${name}` as StorePath;
const systemOf = (packages: Readonly<Record<string, number>>, kernel: string) => ({
  paths: Object.entries(packages).map(([name, size]) => ({ path: pathOf(name), size: size * MiB })),
  boot: { kernel },
});
const diff = diffClosures(
  systemOf({ "linux-6.18.4": 100, "openssl-3.0.13": 8, "gone-1": 1, "x-1": 1, "y-1": 1, "z-1": 1 }, "old"),
  systemOf({ "linux-6.18.5": 110, "openssl-3.0.14": 9, "new-2": 1, "x-2": 1, "y-2": 1, "z-2": 1 }, "new"),
);
const comparison: SystemComparison = {
  diffs: new Map([["web", diff]]),
  unchanged: ["db", "mail"],
  unknown: [{ reason: "the systems are not in this machine's store", hosts: ["nas"] }],
};
const same = (text: string): string => text;

test("what a landed update changes is said host by host, and what nobody knows here is said to be so", () => {
  const effect = composeEffect(comparison, same);
  expect(effectLines(effect)).toEqual([
    "web: linux 6.18.4 → 6.18.5, openssl 3.0.13 → 3.0.14, x 1 → 2, y 1 → 2, z 1 → 2 and 2 more packages; closure 123 MiB (+11.0 MiB); reboot for kernel",
    "2 hosts stay the same",
    "not known here: nas: the systems are not in this machine's store",
  ]);
  expect(effectSentence(effect)).toBe(
    "1 host changes, 1 needs a reboot (web), 2 hosts stay the same, 1 host not known here.",
  );
  const { marker, body } = effectComment(parseCommit("c".repeat(40)), effect);
  expect(body.startsWith(`${marker}\n**Landed as \`cccccccccccc\`.**`)).toBe(true);
  expect(body).toContain(
    "- `web`: `linux 6.18.4 → 6.18.5, openssl 3.0.13 → 3.0.14, x 1 → 2, y 1 → 2, z 1 → 2 and 2 more packages`; closure 123 MiB (+11.0 MiB); reboot for kernel\n- 2 hosts stay the same\n- not known here: `nas`: the systems",
  );
});

test("packages that come and go, and systems without a change of version", () => {
  const gone = diffClosures(systemOf({ "a-1": 1 }, ""), systemOf({ b: 1 }, ""));
  const [host] = composeEffect({ ...comparison, diffs: new Map([["web", gone]]) }, same).hosts;
  expect(host?.packages).toEqual([
    { name: "b", from: "", to: "no version" },
    { name: "a", from: "1", to: "" },
  ]);
  const rebuilt = diffClosures(systemOf({ "a-1": 1 }, ""), systemOf({ "a-1": 2 }, ""));
  const diffs = new Map([["web", rebuilt]]);
  expect(effectLines(composeEffect({ ...comparison, diffs, unknown: [], unchanged: [] }, same))).toEqual([
    "web: no package changes its version; closure 2.0 MiB (+1.0 MiB)",
  ]);
});

test("secrets are taken out of names", () => {
  const effect = composeEffect(comparison, (text) => text.replaceAll("openssl", "[redacted]"));
  expect(JSON.stringify(effect)).not.toContain("openssl");
});

const event: UpdateEvent = {
  repo: parseRepoName("fleet"),
  run: "01M86R3C5XK0V7Q2S8T9W4Y6ZA",
  outcome: "landed",
  at: "2026-11-29T02:41:07.310Z",
  inputs: [],
  hosts: { ok: 2 },
};

test("however much changes, an event has room for it", () => {
  const text = fc.string({ unit: "binary", minLength: 60, maxLength: 250 });
  const change = fc.record({ name: text, removed: fc.array(text), added: fc.array(text) });
  const diffs = fc.record({
    packages: fc.array(change, { minLength: 12, maxLength: 20 }),
    reboot: fc.constant(["kernel", "systemd"] as const),
  });
  fc.assert(
    fc.property(diffs, text, ({ packages, reboot }, name) => {
      const one = { packages, notable: packages, size: 2 ** 40, sizeDelta: -(2 ** 40), reboot };
      const names = Array.from({ length: 300 }, (_, index) => `${index}${name}`.slice(0, 63));
      const effect = composeEffect(
        {
          diffs: new Map(names.map((host) => [host, one])),
          unchanged: names,
          unknown: names.map((reason) => ({ reason, hosts: names })),
        },
        same,
      );
      expect(effect).toMatchObject({ changed: 300, unchanged: 300 });
      expect(effect.hosts.length).toBeLessThanOrEqual(50);
      const bytes = encodeUpdateEvent({ ...event, effect });
      expect(decodeUpdateEvent(bytes).effect).toEqual(JSON.parse(JSON.stringify(effect)));
    }),
    { numRuns: 20 },
  );
});

test("events of a release that does not know effects are read, and fields of a newer one are passed over", () => {
  expect(decodeUpdateEvent(encodeUpdateEvent(event))).toEqual(event);
  const effect = composeEffect(comparison, same);
  const newer = { ...event, effect: { ...effect, deploy: "a command" } };
  expect(decodeUpdateEvent(encodeUpdateEvent(newer)).effect).toEqual(effect);
});
