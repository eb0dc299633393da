// README.md of an installation: what goes where, in which order, and what proves each step.
import { adminName, needsToken, placeOf, type Plan } from "./decide-installation.ts";
import { installable } from "./install-script.ts";
import { natsKeyFile, tokenFile, type Part } from "./part.ts";

export function readmeText(plan: Plan, parts: readonly Part[]): string {
  return `${[
    "# An installation of homelab-deploy",
    "",
    `Written by \`homelab-deploy init\`, for the person who sets it up. It builds ${list(Object.keys(plan.repos))}.`,
    "Each directory here is for one machine or person. Files that end in `.nk` or `.seed` are secret keys, and `git-token` is",
    "a secret too: copy each to its place, back this directory up elsewhere, and never commit it to a repository.",
    "",
    "## Contents",
    "",
    ...table(plan, parts),
    "",
    ...order(plan, parts),
    ...(plan.people.operator.length > 0 && plan.form !== "in-place" ? commandLineSection(plan, parts) : []),
    "## Later",
    "",
    ...addingUsers(plan),
    needsToken(plan)
      ? `- To replace the token, write the new one to \`${tokenFile}\` of each part that has it, and restart that service.`
      : "- A private repository needs credentials: `repos.NAME.credentials` in the configurations of the builder and the updater.",
    "- What to back up, and how to restore it, is in docs/guides/backup.md of homelab-deploy.",
  ].join("\n")}\n`;
}

const addingUsers = ({ form }: Plan): readonly string[] =>
  form === "nixos"
    ? [
        "- To add a user, create a key with `homelab-deploy nats keygen FILE`, add the public key that it prints to `users` in",
        "  `nats/module.nix`, and switch the host of NATS to it.",
      ]
    : [
        "- To add a user, create a key with `homelab-deploy nats keygen FILE`, add it to `nats/nats-server.conf`, and reload the",
        "  server: docs/guides/operations.md of homelab-deploy describes it under NATS.",
      ];

const list = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");

function table(plan: Plan, parts: readonly Part[]): readonly string[] {
  const rows = parts.map(({ name, goesTo, holds }) => {
    const place = plan.form === "in-place" || name === adminName ? "" : `, as \`${placeOf(plan, name)}\``;
    return `| \`${name}\` | ${goesTo}${place} | ${holds} |`;
  });
  return ["| directory | goes to | holds |", "| --- | --- | --- |", ...rows];
}

function order(plan: Plan, parts: readonly Part[]): readonly string[] {
  switch (plan.form) {
    case "in-place":
      return inPlaceOrder(parts);
    case "systemd":
      return systemdOrder(plan, parts);
    case "nixos":
      return nixosOrder(plan, parts);
  }
}

const block = (...commands: readonly string[]): readonly string[] => ["```sh", ...commands, "```", ""];

/** What to run as a check, and what to expect. */
const proofLines = (part: Part): readonly string[] =>
  part.proofs.flatMap(({ command, expects }) => [`Check: ${expects}.`, "", ...block(command)]);

function inPlaceOrder(parts: readonly Part[]): readonly string[] {
  const steps = parts.filter(({ name }) => !name.startsWith("host-"));
  return [
    "## Steps, in this order",
    "",
    "Everything runs from this directory, as the user who created it. Run each server in its own terminal, until Ctrl-C.",
    "",
    ...steps.flatMap((part, index) => [
      `### ${index + 1}. ${part.name}`,
      "",
      ...(part.inPlace === undefined ? [] : block(part.inPlace)),
      ...proofLines({ ...part, proofs: part.proofs.filter(({ command }) => command !== part.inPlace) }),
    ]),
  ];
}

function systemdOrder(plan: Plan, parts: readonly Part[]): readonly string[] {
  const known = installable(parts);
  const rest = parts.filter((part) => !known.includes(part) && part.name !== adminName);
  return [
    "## Steps, in this order",
    "",
    `The program must be at \`${plan.program}\` on each machine. \`install.sh\` copies a part to its place, creates its user,`,
    "installs and starts its units, and checks it. Read the script before you run it as root.",
    "",
    ...(plan.nats.isLoopback
      ? ["NATS listens on the loopback, so everything runs on this machine:", "", ...block("./install.sh")]
      : [
          "Copy the directory of each part with `install.sh` to its machine, and run it there. The part `nats` also needs the",
          "directory `admin` once, to create the streams.",
          "",
        ]),
    ...known.flatMap((part, index) => [
      `### ${index + 1}. ${part.name}: ${part.goesTo}`,
      "",
      ...block(`./install.sh ${part.name}`),
      ...proofLines(part),
    ]),
    ...rest.flatMap((part) => [
      `### ${part.name}: ${part.goesTo}`,
      "",
      ...restLines(plan, part),
      ...proofLines(part),
    ]),
  ];
}

function nixosOrder(plan: Plan, parts: readonly Part[]): readonly string[] {
  const steps = parts.filter(({ name }) => name !== adminName);
  const admin = parts.find(({ name }) => name === adminName);
  return [
    "## Steps, in this order",
    "",
    "Add the flake of homelab-deploy as an input and `homelab-deploy.nixosModules.default` to the modules of each host",
    "(docs/guides/nixos.md). The modules contain the paths of keys on the machine. If you use sops-nix, agenix or similar, change",
    "these paths.",
    "",
    ...steps.flatMap((part, index) => [
      `### ${index + 1}. ${part.name}: ${part.goesTo}`,
      "",
      ...restLines(plan, part),
      ...proofLines(part),
      // Everybody else needs the streams.
      ...(part.identity === undefined && admin !== undefined
        ? ["Then create the streams, from here:", "", ...proofLines(admin)]
        : []),
    ]),
  ];
}

function restLines(plan: Plan, { name, identity, service, signingKey, readsRepos }: Part): readonly string[] {
  const hasModule = identity?.role === "listener" || (plan.form === "nixos" && service !== undefined);
  const keys = [
    ...(identity === undefined ? [] : [natsKeyFile]),
    ...(readsRepos === true && needsToken(plan) ? [tokenFile] : []),
    ...(signingKey === undefined ? [] : [signingKey]),
  ];
  const copy =
    keys.length === 0
      ? []
      : [
          `- Copy ${list(hasModule ? keys : [...keys, "config.json"])} to \`${placeOf(plan, name)}\`, readable by their owner alone.`,
        ];
  const module = hasModule
    ? ["- Import `module.nix` into the configuration of the host, and switch to it."]
    : [];
  return [...copy, ...module, ""];
}

function commandLineSection(plan: Plan, parts: readonly Part[]): readonly string[] {
  const operators = parts.filter(({ identity }) => identity?.role === "operator");
  return [
    "## On the command line",
    "",
    "Commands find their configuration, and the key that signs orders, through these variables:",
    "",
    ...operators.flatMap(({ name, signingKey = "" }) =>
      block(
        `export HOMELAB_DEPLOY_CONFIG=${placeOf(plan, name)}/config.json`,
        `export HOMELAB_DEPLOY_KEY=${placeOf(plan, name)}/${signingKey}`,
      ),
    ),
  ];
}
