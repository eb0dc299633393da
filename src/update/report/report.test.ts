import fc from "fast-check";
import { expect, test } from "vitest";
import { markdownNodes, proseOf } from "../../../test/support/markdown-tree.ts";
import { reportOf } from "../../../test/support/update-reports.ts";
import { parseCommit } from "../../protocol/names.ts";
import { redactReport } from "./redact-report.ts";
import { labelsOf, titleOf } from "./report-headline.ts";
import { printBody, smallestBodyBytes } from "./report-markdown.ts";
import { printReport, type UpdateReport } from "./report.ts";

const hosts = (...classes: readonly UpdateReport["hosts"][number]["class"][]) =>
  classes.map((name, index) => ({ host: `host${index}`, class: name, reboot: [] }));

test("says what breaks, by what and why, before anything else, and then what to do", () => {
  const [failure] = reportOf().failures;
  const failures = failure === undefined ? [] : [{ ...failure, input: "nixpkgs" }];
  const body = printBody(reportOf({ failures }), "<!-- marker -->");
  expect(body.split("\n").slice(0, 12)).toEqual([
    "<!-- marker -->",
    "",
    "**This update breaks 1 of 3 hosts.**",
    "",
    "- **Broken:** `web`",
    "- **Caused by:** the input `nixpkgs`, since `dddddddddddd` of `2026-11-18` `openssl: 3.0.13 -> 3.0.14`",
    "- **Why:** `openssl-3.0.14`: `E: 1 failed`",
    "- **Result:** `1 of 3 hosts does not build any more`",
    "- **Hosts:** 1 no longer builds, 1 builds, 1 is unchanged",
    "- **Reboot:** 1 host needs one",
    "",
    "## What you can do",
  ]);
  expect(body.match(/^## .*$/gm)).toEqual(
    [
      "What you can do",
      "By which revision",
      "Inputs",
      "Unreachable inputs",
      "Hosts",
      "Failures",
      "How to reproduce",
      "New warnings",
      "Packages",
    ].map((title) => `## ${title}`),
  );
  expect(body).toContain("| `nixpkgs` | `ccccccc` → `ddddddd` of 2026-11-18 [commits](https://github.com/");
  expect(body).toContain(
    `- \`nixpkgs\`, first bad revision: \`${"d".repeat(12)}\` of \`2026-11-18\` \`openssl: 3.0.13 -> 3.0.14\`, last good: \`${"e".repeat(12)}\` ([commits](https://github.com/`,
  );
  expect(body).toContain("| `web` | no longer builds |");
  expect(body).toContain("| `db` | builds; closure 97.0 MiB (−3.0 MiB); reboot for `kernel` |");
  expect(body).toContain("| `openssl` | `3.0.13` → `3.0.14` | all |");
  expect(body).toContain("```text\nrunning tests\nE: 1 failed\n```");
  expect(body).toContain("nix build '.?rev=bbbb");
  expect(body).toMatch(/nixosConfigurations\."web"\./);
  expect(body).toContain(`homelab-deploy build web --repo nixos --rev ${"b".repeat(40)}`);
  expect(body.indexOf("`web`")).toBeLessThan(body.indexOf("`db`"));
});

test("says what would let the rest land, where that is known", () => {
  const rest = ["home-manager", "disko"];
  const body = printBody(reportOf({ rest, culprits: [["nixpkgs"]] }));
  expect(body).toContain(
    '**Land the rest:** set `"partialLanding": true` in `update` of this repo\'s configuration. The hosts that fail build with `home-manager`, `disko`, without `nixpkgs`.',
  );
  expect(printBody(reportOf({ culprits: [["nixpkgs"]] }))).not.toContain("Land the rest");
});

test("a flake in a directory and with submodules is reproduced as it is built", () => {
  const hostnames = [{ host: "web.lan", class: "regression" as const, reboot: [] }];
  const body = printBody(reportOf({ flake: { directory: "nix/lab", submodules: true }, hosts: hostnames }));
  expect(body).toContain("-- nix/lab/flake.lock");
  expect(body).toContain(
    `nix build './nix/lab?rev=${"b".repeat(40)}&submodules=1#nixosConfigurations."web.lan".config.system.build.toplevel'`,
  );
});

test("hosts of which the same is said are one row, and unchanged ones a number", () => {
  const many = [
    ...hosts("eval-error", "eval-error", "ok"),
    ...Array.from({ length: 14 }, (_, index) => ({
      host: `same${index}`,
      class: "unchanged" as const,
      reboot: [],
    })),
  ];
  const body = printBody(reportOf({ hosts: many }));
  expect(body).toContain(
    [
      "| host | result |",
      "| --- | --- |",
      "| `host0`, `host1` | no longer evaluate |",
      "| `host2` | builds |",
      "| 14 hosts | are unchanged |",
    ].join("\n"),
  );
});

test("what has landed says so, with nothing to decide or to reproduce", () => {
  const landed = parseCommit("b".repeat(40));
  const body = printBody(
    reportOf({
      landed,
      hosts: hosts("ok"),
      failures: [],
      bisected: [],
      notCompared: [{ reason: "the systems are not in this machine's store", hosts: ["host0"] }],
    }),
  );
  expect(body.split("\n")[0]).toBe("**This update has landed. It builds on the one host.**");
  expect(body).not.toMatch(/What you can do|How to reproduce/);
  expect(body).toContain("## Commit\n\nCommit `bbbbbbbbbbbb` on `aaaaaaaaaaaa` (`master` of `nixos`)");
  expect(body).toContain(
    "## Packages that could not be compared\n\n- `host0`: `the systems are not in this machine's store`",
  );
});

test.each([
  [hosts("regression", "missing-host", "ok"), [], "This update breaks 2 of 3 hosts."],
  [
    hosts("pre-existing", "ok"),
    ["policy"],
    "This update breaks nothing. 1 of 2 hosts does not build, and did not before either.",
  ],
  [hosts("ok", "unchanged"), ["refused"], "This update builds on all 2 hosts, and needs your decision."],
  [hosts("ok"), [], "This update builds on the one host."],
] as const)("begins with what the reader needs first: %#", (of, reasons, expected) => {
  const review = reasons.map((reason) => ({ reason, message: "somebody said why" }));
  const body = printBody(reportOf({ hosts: [...of], review, failures: [] }));
  expect(body.split("\n")[0]).toBe(`**${expected}**`);
  expect(body.includes("## What you can do")).toBe(!expected.endsWith("one host."));
});

test.each([
  ["downgrade", "An input is older than before"],
  ["lock", "An input comes from another place"],
  ["policy", "Hosts that did not build before"],
  ["race", "The branch kept moving"],
  ["refused", "The branch could not be moved"],
] as const)("why it did not land is said in words: %s", (reason, words) => {
  const review = [{ reason, message: "m", advice: "a" }];
  expect(printBody(reportOf({ review }))).toContain(
    `## Why it did not land\n\n- **${words}:** \`m\`\n  To let the next update land: \`a\``,
  );
});

test("hosts that do not evaluate for the same reason are one failure, with the first line of it", () => {
  const failure = {
    name: "web",
    hosts: ["web", "db"],
    phase: "evaluation",
    reason: "flake.nix:3:1: the option x is gone\n2| { }",
    tail: "error: the option x is gone",
  };
  const body = printBody(reportOf({ failures: [failure] }));
  expect(body).toContain("- **Why:** `web` and 1 more: `flake.nix:3:1: the option x is gone`\n");
  expect(body).toContain(
    "### `web` and 1 more\n\n- hosts: `web`, `db`\n- does not evaluate: `flake.nix:3:1: the option x is gone`\n\n<details><summary>Nix's error</summary>",
  );
});

test("where logs are not published nothing is said of them", () => {
  const failure = { name: "openssl", hosts: ["web"], reason: "builder failed with exit code 2", tail: "" };
  const body = printBody(reportOf({ failures: [failure] }));
  expect(body).toContain("- **Why:** `openssl`: `builder failed with exit code 2`\n");
  expect(body).not.toMatch(/log/);
});

test("where no single revision could be named, a range or the reason is said", () => {
  const last = { rev: parseCommit("d".repeat(40)), date: "2026-11-18T09:00:00.000Z", subject: "a `b` @c" };
  const note = "those between could not be judged";
  const range = { input: "lib", suspects: { count: 3, last }, lastGood: parseCommit("e".repeat(40)), note };
  const none = { input: "src", probes: 0, skipped: 0, note: "it was at another place before" };
  const body = printBody(reportOf({ bisected: [{ ...range, probes: 4, skipped: 2 }, none] }));
  expect(body).toContain(
    `- \`lib\`, one of 3 revisions up to \`${"d".repeat(12)}\` of \`2026-11-18\` \`\`a \`b\` @c\`\`, last good: \`${"e".repeat(12)}\`: \`${note}\``,
  );
  expect(body).toContain("- `src`, its revisions were not searched: `it was at another place before`");
});

test("hosts of other repos say whether they count, and only required ones are failures", () => {
  const gunter = { host: "nixos/gunter", class: "regression" as const, reboot: [] };
  const advisory = reportOf({ hosts: [...hosts("ok"), { ...gunter, part: "advisory" as const }] });
  expect(printBody(advisory)).toContain("| `nixos/gunter` | no longer builds (advisory) |");
  expect(titleOf(advisory)).not.toContain("fail");
  expect(labelsOf(advisory)).not.toContain("build-failure");
  const required = reportOf({ hosts: [...hosts("ok"), { ...gunter, part: "required" as const }] });
  expect(titleOf(required)).toContain(": 1 host fails");
  expect(labelsOf(required)).toContain("build-failure");
  // There is no such host in this repo to build.
  expect(printBody(required)).toMatch(/nixosConfigurations\."host0"\./);
});

test("as JSON it is the same report again, in valid UTF-8", () => {
  const report = reportOf({ verdict: "odd \ud800 text" });
  const json = printReport(report);
  expect(json.isWellFormed()).toBe(true);
  expect(JSON.parse(json)).toEqual({ ...report, verdict: "odd \ufffd text" });
});

test.each([
  [hosts("ok", "unchanged", "fixed"), []],
  [hosts("ok", "regression"), ["build-failure"]],
  [hosts("eval-error"), ["build-failure"]],
  [hosts("missing-host"), ["build-failure"]],
  [hosts("infra"), []],
  [hosts("pre-existing"), []],
])("labels of %j", (list, labels) => {
  expect(labelsOf(reportOf({ hosts: list }))).toEqual(labels);
});

test("what a person has to look at says so, beside what fails", () => {
  const review = [{ reason: "race" as const, message: "master keeps moving" }];
  expect(labelsOf(reportOf({ hosts: hosts("ok"), review }))).toEqual(["needs-review"]);
  expect(labelsOf(reportOf({ review }))).toEqual(["build-failure", "needs-review"]);
  const [input] = reportOf().inputs;
  const inputs = input === undefined ? [] : [{ ...input, downgraded: true }];
  expect(labelsOf(reportOf({ hosts: hosts("ok"), inputs }))).toEqual(["needs-review"]);
});

test("a title names as many inputs as fit", () => {
  const named = (...names: readonly string[]) => names.map((name) => ({ path: [name], downgraded: false }));
  expect(titleOf(reportOf())).toBe("flake.lock: update nixpkgs: 1 host fails");
  expect(titleOf(reportOf({ inputs: named("a", "b"), hosts: hosts("ok") }))).toBe("flake.lock: update a, b");
  const review = [{ reason: "race" as const, message: "" }];
  expect(titleOf(reportOf({ inputs: named("a"), hosts: hosts("ok"), review }))).toBe(
    "flake.lock: update a: needs review",
  );
  expect(titleOf(reportOf({ inputs: named("a".repeat(60), "b".repeat(60), "c") }))).toBe(
    `flake.lock: update ${"a".repeat(60)} (+2): 1 host fails`,
  );
  expect(titleOf(reportOf({ inputs: named("a".repeat(200)) }))).toBe(
    "flake.lock: update 1 input: 1 host fails",
  );
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 80 })), (names) => {
      expect(titleOf(reportOf({ inputs: named(...names) }))).toMatch(/^[A-Za-z0-9 _.,:()+-]{1,120}$/);
    }),
  );
});

test("a secret is in none of its texts, even with colours in it", () => {
  const [failure] = reportOf().failures;
  const failures = failure === undefined ? [] : [{ ...failure, tail: "got hunter2-\u001b[1mhunter2\n" }];
  const report = redactReport(reportOf({ failures, verdict: "https://me:pass@host" }), ["hunter2-hunter2"]);
  expect(report.failures[0]?.tail).toBe("got [redacted]\n");
  expect(report.verdict).toBe("https://[redacted]@host");
  expect(report.redactions).toBe(2);
  expect(printBody(report)).toContain("Secrets removed from the texts: 2");
  expect(redactReport(reportOf(), ["hunter2-hunter2"])).toEqual(reportOf());
});

const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 10 }),
      fc.constantFrom(
        "```",
        "`````",
        "\n",
        "\n\n",
        "</details>",
        "<img src=x>",
        "@all",
        "closes #1",
        "![x](http://x)",
        "[x](http://x)",
        "|",
        "https://evil.example/",
        "<!--",
        "\u202e",
        "# x",
        "www.evil.example",
        "a@evil.example",
      ),
    ),
    { maxLength: 15 },
  )
  .map((parts) => parts.join(""));

const hostileReport = fc
  .record({
    text: fc.array(hostile, { minLength: 8, maxLength: 8 }),
    hostCount: fc.nat({ max: 60 }),
    failureCount: fc.nat({ max: 12 }),
    tailRepeats: fc.nat({ max: 60 }),
  })
  .map(
    ({
      text: [a = "", b = "", c = "", d = "", e = "", f = "", g = "", h = ""],
      hostCount,
      failureCount,
      tailRepeats,
    }) =>
      reportOf({
        verdict: a,
        inputs: [
          {
            path: [b, c],
            downgraded: true,
            before: { type: d, source: e },
            after: { type: d, source: f, narHash: g },
          },
        ],
        hosts: Array.from({ length: hostCount }, (_, index) => ({
          host: `${h}${index}`.slice(0, 250),
          class: index % 2 === 0 ? "regression" : "ok",
          reboot: [a],
          closureSize: 1,
          sizeDelta: 1,
          message: `${b}${index}`,
        })),
        failures: Array.from({ length: failureCount }, () => ({
          name: c,
          drvPath: d,
          hosts: [e, f],
          phase: g.length % 2 === 0 ? g : "evaluation",
          reason: h,
          tail: `${a}\n${b}\n`.repeat(tailRepeats).slice(0, 60_000),
          attachment: b,
          input: c,
        })),
        unavailable: [
          { input: c, kind: "failed", reason: d, hint: d, runs: 3, since: "2026-11-01T00:00:00Z" },
        ],
        registry: [{ input: c, advice: d }],
        notCompared: [{ reason: e, hosts: [f] }],
        bisected: [
          {
            input: a,
            firstBad: { rev: parseCommit("d".repeat(40)), date: b, subject: c },
            probes: 1,
            skipped: 0,
            note: d,
          },
          {
            input: e,
            suspects: { count: 2, last: { rev: parseCommit("d".repeat(40)), date: f, subject: g } },
            probes: 1,
            skipped: 0,
            note: h,
          },
        ],
        rest: [a, c],
        packages: [{ name: d, removed: [e], added: [f, ""], hosts: [g] }],
        warnings: [{ text: h, hosts: [a] }],
        review: [{ reason: "policy", message: b }],
      }),
  );

test(
  "whatever its texts are, a body is as long as it may be, with nothing but our own markup",
  { timeout: 60_000 },
  () => {
    fc.assert(
      fc.property(hostileReport, fc.integer({ min: smallestBodyBytes, max: 60_000 }), (report, limit) => {
        const body = printBody(report, "<!-- m -->", limit);
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(limit);
        expect(body.isWellFormed()).toBe(true);
        const nodes = markdownNodes(body);
        const html = nodes.filter(({ type }) => type === "html").map(({ value }) => value ?? "");
        const ours = ["The end of the log", "Nix's error"].map(
          (summary) => `<details><summary>${summary}</summary>`,
        );
        expect(html.filter((text) => !["<!-- m -->", ...ours, "</details>"].includes(text))).toEqual([]);
        expect(nodes.filter(({ type }) => /^(?:link|image|definition|footnote)/.test(type))).toEqual([]);
        expect(proseOf(body)).not.toMatch(/@|(?<!&)#\d|evil|https?:/);
        // Each log is one block, and so are the commands.
        const logs = body.match(/^<details>/gm)?.length ?? 0;
        const commands = body.includes("## How to reproduce") ? 1 : 0;
        expect(nodes.filter(({ type }) => type === "code")).toHaveLength(logs + commands);
      }),
      { numRuns: 60 },
    );
  },
);

test("a body that is too long loses its end, and says what is missing", () => {
  const packages = Array.from({ length: 3_000 }, (_, index) => ({
    name: `package-${index}`,
    removed: ["1"],
    added: ["2"],
    hosts: ["db"],
  }));
  const body = printBody(reportOf({ packages }));
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(60_000);
  expect(Buffer.byteLength(body)).toBeGreaterThan(55_000);
  expect(body).toMatch(/\n\nLeft out because it is too long: Packages \(\d+ of 3000\)\.\n$/);
  expect(body).toContain("## Failures");
  expect(printBody(reportOf({ packages }), "", smallestBodyBytes)).toContain("## Inputs");
});
