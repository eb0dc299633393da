// The listener on a host that is deployed to.
import * as v from "valibot";
import { absolutePath, addressAndPort, described } from "./setting-types.ts";

export const ListenerSettings = v.strictObject({
  policyFile: described(
    v.optional(absolutePath, "/etc/homelab-deploy/host.json"),
    "The host's policy: who it is, and whom it obeys. The NixOS module writes it.",
  ),
  stateDirectory: described(
    v.optional(absolutePath, "/var/lib/homelab-deploy-listener"),
    "Directory for the NATS key that the listener created, and for the last order that it refused.",
  ),
  journalDirectory: described(
    v.optional(absolutePath, "/var/lib/homelab-deploy-host"),
    "Directory of the activator's journal of deployments and the output of activations.",
  ),
  socket: described(
    v.optional(absolutePath, "/run/homelab-deploy/activate.sock"),
    "The socket of the activator.",
  ),
  metrics: described(
    v.optional(
      v.strictObject({
        listen: described(
          v.optional(addressAndPort),
          "Address on which the listener serves `/metrics`, such as `127.0.0.1:9481` (default: none).",
        ),
      }),
      {},
    ),
    "Where Prometheus finds the metrics of this host.",
  ),
});
export type ListenerSettings = v.InferOutput<typeof ListenerSettings>;
