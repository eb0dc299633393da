// What the services of an installation run as. The NixOS modules have the same in nix/modules/*-service.nix; a test
// compares them.
import type { UnitSection } from "./unit-file.ts";

/** nix/modules/hardening.nix says why each line is there, and why others are not. */
const sandbox: UnitSection = {
  NoNewPrivileges: true,
  CapabilityBoundingSet: "",
  AmbientCapabilities: "",
  PrivateUsers: true,
  PrivateTmp: true,
  PrivateDevices: true,
  PrivateMounts: true,
  DevicePolicy: "closed",
  ProtectSystem: "strict",
  ProtectHome: true,
  ProtectKernelTunables: true,
  ProtectKernelModules: true,
  ProtectKernelLogs: true,
  ProtectControlGroups: true,
  ProtectClock: true,
  ProtectHostname: true,
  ProtectProc: "invisible",
  RestrictAddressFamilies: ["AF_UNIX", "AF_INET", "AF_INET6"],
  RestrictNamespaces: true,
  RestrictRealtime: true,
  RestrictSUIDSGID: true,
  LockPersonality: true,
  RemoveIPC: true,
  KeyringMode: "private",
  UMask: "0077",
  SystemCallArchitectures: "native",
  SystemCallFilter: ["@system-service", "~@privileged", "~@resources"],
  SystemCallErrorNumber: "EPERM",
};

export interface ServiceParts {
  readonly execStart: string;
  /** `NAME:FILE` of each secret. */
  readonly loadCredential: readonly string[];
}

export interface StatefulParts extends ServiceParts {
  /** Below /var/lib. */
  readonly stateDirectory: string;
}

const waits: UnitSection = { Restart: "always", RestartPreventExitStatus: "2" };

export const builderSection = ({
  execStart,
  loadCredential,
  stateDirectory,
}: StatefulParts): UnitSection => ({
  ...sandbox,
  ...waits,
  Type: "exec",
  ExecStart: execStart,
  User: "homelab-deploy",
  Group: "homelab-deploy",
  StateDirectory: stateDirectory,
  StateDirectoryMode: "0700",
  LoadCredential: loadCredential,
  OOMPolicy: "continue",
  LimitNOFILE: 65_536,
  KillMode: "mixed",
  // builder.stopSeconds, and 30 for Nix to end its builds.
  TimeoutStopSec: 45,
  RestartSec: 10,
});

export const updateSection = ({ execStart, loadCredential, stateDirectory }: StatefulParts): UnitSection => ({
  ...sandbox,
  Type: "oneshot",
  ExecStart: execStart,
  User: "homelab-deploy-update",
  Group: "homelab-deploy-update",
  StateDirectory: stateDirectory,
  StateDirectoryMode: "0700",
  LoadCredential: loadCredential,
  KillMode: "mixed",
  SuccessExitStatus: "143",
  Restart: "on-failure",
  RestartSec: "30min",
  RestartPreventExitStatus: "1 2 4 70",
});

export const dashboardSection = ({ execStart, loadCredential }: ServiceParts): UnitSection => ({
  ...sandbox,
  ...waits,
  Type: "exec",
  ExecStart: execStart,
  DynamicUser: true,
  LoadCredential: loadCredential,
  ProcSubset: "pid",
  InaccessiblePaths: ["-/nix/var"],
  LimitNOFILE: 8192,
  RestartSec: 5,
});

/** NixOS brings its own; elsewhere nats-server gets this. */
export const natsSection = ({ execStart, loadCredential, stateDirectory }: StatefulParts): UnitSection => ({
  ...sandbox,
  // It asks the kernel for the addresses of the machine, which it tells its clients.
  RestrictAddressFamilies: ["AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"],
  Type: "exec",
  ExecStart: execStart,
  ExecReload: "/bin/kill -HUP $MAINPID",
  DynamicUser: true,
  StateDirectory: stateDirectory,
  StateDirectoryMode: "0700",
  LoadCredential: loadCredential,
  LimitNOFILE: 65_536,
  Restart: "always",
  RestartSec: 5,
});
