// What the alert rules and the dashboard say, read out of their files.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const infra = join(import.meta.dirname, "../../infra");
export const rulesDirectory = join(infra, "prometheus");
export const ruleTests = ["minutes.test.yml", "days.test.yml"] as const;
const dashboardFile = join(infra, "grafana/homelab-deploy.json");

/** Why promtool cannot be asked; undefined when it can. */
export const withoutPromtool =
  spawnSync("promtool", ["--version"], { stdio: "ignore" }).error === undefined
    ? undefined
    : "promtool is not installed (Debian: apt-get install prometheus)";

export interface Alert {
  readonly name: string;
  readonly expression: string;
  readonly severity: string;
  /** `docs/…` */
  readonly runbook: string;
  readonly text: string;
}

/** The file is our own, and always of the same form: no parser of YAML is needed to read it. */
export function readAlerts(): readonly Alert[] {
  const [, ...blocks] = readFileSync(join(rulesDirectory, "rules.yml"), "utf8").split(/^ {6}- alert: /m);
  return blocks.map((text) => ({
    name: text.split("\n")[0] ?? "",
    expression:
      /^ {8}expr: (?:>-\n)?(?<expression>[\s\S]*?)(?=^ {8}\w)/m.exec(text)?.groups?.["expression"] ?? "",
    severity: /^ {10}severity: (?<severity>\w+)$/m.exec(text)?.groups?.["severity"] ?? "",
    runbook: /^ {10}runbook: (?<runbook>\S+)$/m.exec(text)?.groups?.["runbook"] ?? "",
    text,
  }));
}

/** By alert, whether a test expects it to fire and whether one expects it not to. */
export function readTestedAlerts(): ReadonlyMap<string, ReadonlySet<"fires" | "is silent">> {
  const tested = new Map<string, Set<"fires" | "is silent">>();
  for (const file of ruleTests) {
    const text = readFileSync(join(rulesDirectory, file), "utf8");
    for (const { groups } of text.matchAll(/alertname: (?<name>\w+)[,\s]+exp_alerts:(?<none> \[\])?/g)) {
      const name = groups?.["name"] ?? "";
      const kinds = tested.get(name) ?? new Set();
      tested.set(name, kinds.add(groups?.["none"] === undefined ? "fires" : "is silent"));
    }
  }
  return tested;
}

export interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly query: string | { readonly query: string };
    }[];
  };
  readonly annotations: { readonly list: readonly { readonly expr?: string }[] };
}

export const readDashboard = (): Dashboard => JSON.parse(readFileSync(dashboardFile, "utf8")) as Dashboard;

/** A metric, and the labels that an expression wants it to have. */
export interface Selector {
  readonly metric: string;
  readonly labels: readonly string[];
}

/** Every use of a builder's metrics in an expression: `homelab_deploy_builds_total{result="built"}`. */
export function selectorsIn(expression: string): readonly Selector[] {
  return [
    ...expression.matchAll(/\b(?<metric>(?:homelab_deploy|process)_\w+)(?:\{(?<labels>[^}]*)\})?/g),
  ].map(({ groups }) => ({
    metric: groups?.["metric"] ?? "",
    labels: [...(groups?.["labels"] ?? "").matchAll(/(?<label>\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(
      (found) => found.groups?.["label"] ?? "",
    ),
  }));
}

/** Those of the rules and of the dashboard. */
export function allSelectors(): readonly Selector[] {
  const { panels, templating, annotations } = readDashboard();
  const expressions = [
    ...readAlerts().map(({ expression }) => expression),
    ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...templating.list.map(({ query }) => (typeof query === "string" ? query : query.query)),
    ...annotations.list.flatMap(({ expr }) => expr ?? []),
  ];
  return expressions.flatMap(selectorsIn);
}

/**
 * What of the selectors a scrape does not have.
 *
 * @param scrape the text of `/metrics`
 */
export function missingIn(scrape: string, selectors: readonly Selector[]): readonly string[] {
  const labelsOf = new Map<string, Set<string>>();
  for (const { groups } of scrape.matchAll(/^(?<metric>\w+)(?:\{(?<labels>.*)\})? \S+$/gm)) {
    const known = labelsOf.get(groups?.["metric"] ?? "") ?? new Set<string>();
    for (const found of (groups?.["labels"] ?? "").matchAll(/(?<label>\w+)="/g)) {
      known.add(found.groups?.["label"] ?? "");
    }
    labelsOf.set(groups?.["metric"] ?? "", known);
  }
  // Prometheus itself adds these to every series of a target.
  const added = new Set(["job", "instance"]);
  return selectors.flatMap(({ metric, labels }) => {
    const known = labelsOf.get(metric);
    if (known === undefined) return [metric];
    return labels
      .filter((label) => !known.has(label) && !added.has(label))
      .map((label) => `${metric}{${label}}`);
  });
}
