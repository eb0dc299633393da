// What `init` says when it has written everything.
import { join } from "node:path";
import type { Plan } from "./decide-installation.ts";
import type { Part } from "./part.ts";

export function nextSteps({ directory, form, nats, repos }: Plan, parts: readonly Part[]): string {
  const names = Object.keys(repos).join(", ");
  const readme = join(directory, "README.md");
  const next =
    form === "systemd" && nats.isLoopback
      ? [
          `Next, as root on this machine:`,
          `  ${join(directory, "install.sh")}`,
          `What it does is in ${readme}`,
        ]
      : ["What goes where, and in which order:", `  ${readme}`];
  return [`Wrote ${parts.length} parts for ${names} into ${directory}`, ...next, ""].join("\n");
}

/** What would work, and hardly as it was meant. */
export function decideWarnings({ form, nats, program, repos }: Plan): readonly string[] {
  const ofPeople = (path: string): boolean => /^\/(?:home|root)\//.test(path);
  const local = Object.values(repos)
    .map(({ url }) => url)
    .filter((url) => url.startsWith("file://") && ofPeople(url.slice("file://".length)));
  return [
    ...(nats.isLoopback || nats.tls !== undefined
      ? []
      : [
          `${nats.url} has no TLS: whoever is on the network can read builds and logs; use tls:// unless you trust it`,
        ]),
    ...(form === "systemd" && ofPeople(program)
      ? [
          `services cannot run ${program}: clone homelab-deploy to /opt/homelab-deploy, and run init from there`,
        ]
      : []),
    ...(form === "systemd" ? local : []).map(
      (url) => `the builder's service cannot read ${url}: name a place outside of /home and /root, or a URL`,
    ),
  ];
}
