// The unit around a service of homelab-deploy.
import type { Plan } from "../decide-installation.ts";
import type { UnitFile, UnitSection } from "./unit-file.ts";

const usualPath = [
  "/nix/var/nix/profiles/default/bin",
  "/usr/local/sbin",
  "/usr/local/bin",
  "/usr/sbin",
  "/usr/bin",
  "/sbin",
  "/bin",
];

/** Git and Nix trust what they are told, and Node only what it brings along. */
const authorities = "/etc/ssl/certs/ca-certificates.crt";

export interface ServiceUnit {
  readonly name: string;
  readonly description: string;
  readonly startLimit: UnitSection;
  readonly service: UnitSection;
  /** Whether the boot starts it; otherwise a timer does. */
  readonly isWanted: boolean;
}

export const serviceUnit = (
  { path }: Pick<Plan, "path">,
  { name, description, startLimit, service, isWanted }: ServiceUnit,
  environment: readonly string[] = [],
): UnitFile => ({
  name,
  sections: {
    Unit: {
      Description: description,
      Wants: "network-online.target",
      After: "network-online.target nix-daemon.socket",
      ...startLimit,
    },
    Service: {
      Environment: [
        `PATH=${[...path, ...usualPath].join(":")}`,
        ...["NODE_EXTRA_CA_CERTS", "NIX_SSL_CERT_FILE", "SSL_CERT_FILE"].map(
          (variable) => `${variable}=${authorities}`,
        ),
        ...environment,
      ],
      ...service,
    },
    ...(isWanted ? { Install: { WantedBy: "multi-user.target" } } : {}),
  },
});

/** One that evaluates or builds, with the daemon of its machine. */
export const nixServiceUnit = (plan: Pick<Plan, "path">, unit: ServiceUnit): UnitFile =>
  serviceUnit(plan, unit, ["NIX_REMOTE=daemon"]);
