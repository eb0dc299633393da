// What the dashboard says about itself, as text for Prometheus.
import type { FleetPicture } from "../state/fleet-picture.ts";

export function metricsText(picture: FleetPicture, clients: number, now: Date): string {
  const gauge = (name: string, help: string, value: number): string =>
    `# HELP homelab_deploy_dashboard_${name} ${help}\n# TYPE homelab_deploy_dashboard_${name} gauge\nhomelab_deploy_dashboard_${name} ${value}\n`;
  return [
    gauge("clients", "Pages that are open and get news.", clients),
    gauge("nats_connected", "Whether NATS is connected.", Number(picture.isConnected)),
    gauge("data_age_seconds", "Age of what is shown.", (now.getTime() - Date.parse(picture.asOf)) / 1000),
    gauge("builds", "Builds that are listed.", picture.builds.length),
    gauge("resident_memory_bytes", "Resident memory of the process.", process.memoryUsage.rss()),
  ].join("");
}
