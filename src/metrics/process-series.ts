import { collectDefaultMetrics, Gauge, type Registry } from "prom-client";

export interface Program {
  readonly component: "builder" | "listener" | "deployer";
  /** The version of homelab-deploy. */
  readonly version: string;
}

/** What runs, and its own metrics, but for gauges of the library that are named like counters. */
export function addProcessSeries(registry: Registry, { component, version }: Program): void {
  new Gauge({
    name: "homelab_deploy_build_info",
    help: "What runs here, as labels; always 1.",
    labelNames: ["component", "version"],
    registers: [registry],
  }).set({ component, version }, 1);
  collectDefaultMetrics({ register: registry });
  for (const { name, type } of registry.getMetricsAsArray()) {
    if (name.endsWith("_total") && String(type) !== "counter") registry.removeSingleMetric(name);
  }
}
