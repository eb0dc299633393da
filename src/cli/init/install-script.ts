// `install.sh`: brings parts onto the machine that they are for, starts them, and proves each step.
import { adminName, type Plan } from "./decide-installation.ts";
import { natsKeyFile, type Part } from "./part.ts";

/** The roles that the script can install: hosts get theirs by their own configuration, pipelines as secrets. */
export const installable = (parts: readonly Part[]): readonly Part[] =>
  parts.filter(
    ({ name, service, identity }) => name !== adminName && (service ?? identity?.role === "operator"),
  );

export function installScript(plan: Plan, parts: readonly Part[]): string {
  const known = installable(parts);
  const names = known.map(({ name }) => name).join(" ");
  return `#!/usr/bin/env bash
# Installs parts of this directory on this machine and starts them. Run it as root, again as often as you like:
#   ./install.sh${plan.nats.isLoopback ? "           all of them" : ` PART…`}
#   ./install.sh PART…     some of: ${names}
# README.md has the order. Nothing that differs is overwritten without a copy beside it.
set -euo pipefail

here=$(cd "$(dirname "\${BASH_SOURCE[0]}")" && pwd -P)
target=${plan.installed}
program=${plan.program}

${functions}
install_part() {
  case $1 in
${known.map((part) => `    ${part.name})\n${lines(plan, part)}\n      ;;`).join("\n")}
    *) die "there is no part $1" "the parts are: ${names}" ;;
  esac
}

[ "$(id -u)" -eq 0 ] || die "this needs root" "sudo $0 $*"
[ -x "$program" ] || die "homelab-deploy is not at $program on this machine" "clone it there and run bin/setup --no-tests"
${
  plan.nats.isLoopback
    ? `[ $# -gt 0 ] || set -- ${names}`
    : `[ $# -gt 0 ] || die "no parts are named" "the parts are: ${names}"`
}
for part; do install_part "$part"; done
`;
}

const functions = `say() { printf '== %s\\n' "$*"; }

die() {
  printf 'error: %s\\nhint: %s\\n' "$1" "$2" >&2
  exit 1
}

# copy PART [OWNER]: its files to where they are used, secrets for their owner alone.
copy() {
  local file to mode owner=\${2:-root}
  say "copying $1 to $target/$1"
  install -d -m 0755 "$target" "$target/$1"
  for file in "$here/$1"/*; do
    to=$target/$1/\${file##*/} mode=0644
    case $file in
      *.service | *.timer) to=/etc/systemd/system/\${file##*/} ;;
      */git-token) mode=0600 ;;
      *.nk | *.seed)
        mode=0600
        if [ -e "$to" ] && ! cmp --silent "$file" "$to"; then
          die "$to is another key" "move it away if it is of no use any more, then run this again"
        fi
        ;;
    esac
    [ "$file" -ef "$to" ] || install --backup=numbered --compare -m "$mode" -o "$owner" -g "$(id -gn "$owner")" "$file" "$to"
  done
}

# own_user NAME: a user for a service. The Nix daemon of Debian is for one group only.
own_user() {
  getent passwd "$1" >/dev/null ||
    useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin "$1"
  if getent group nix-users >/dev/null; then usermod --append --groups nix-users "$1"; fi
  runuser --user "$1" -- test -x "$program" ||
    die "the user $1 cannot run $program" "put the checkout where everybody can read it, such as /opt/homelab-deploy"
}

# can_read USER PATH: a repository on this machine.
can_read() {
  runuser --user "$1" -- sh -c 'test -r "$1/HEAD" || test -r "$1/.git/HEAD"' sh "$2" ||
    die "the user $1 cannot read the repository $2" "give everybody the right to read it, and its directories, or use a URL"
}

nix_daemon() {
  if ! systemctl cat nix-daemon.socket >/dev/null 2>&1; then
    command -v apt-get >/dev/null || die "there is no Nix daemon on this machine" "install Nix for several users"
    say "installing the Nix daemon: apt-get install nix-setup-systemd"
    apt-get install --yes --no-install-recommends nix-setup-systemd
  fi
  systemctl start nix-daemon.socket
}

start() {
  say "starting $*"
  systemctl daemon-reload
  systemctl enable "$@"
  systemctl restart "$@"
}

# until_works COMMAND…: a service that has just started may need some seconds.
until_works() {
  local try
  for try in 1 2 3 4 5 6 7 8 9; do
    if "$@" >/dev/null 2>&1; then break; fi
    if systemctl --quiet is-failed 'homelab-deploy-*'; then
      systemctl --no-pager --lines=5 --state=failed status 'homelab-deploy-*' >&2 || true
      break
    fi
    sleep "$try"
  done
  say "$*"
  "$@" || die "this did not work" "look at: journalctl --unit 'homelab-deploy-*' --lines 50"
}

`;

function lines(plan: Plan, part: Part): string {
  const { name, service, identity } = part;
  if (service === undefined) return indented(operatorLines(plan, part));
  return indented([
    ...(service.usesNix ? ["nix_daemon"] : []),
    ...(service.user === undefined ? [] : [`own_user ${service.user}`]),
    ...(service.user === undefined
      ? []
      : localRepos(plan).map((path) => `can_read ${service.user} '${path}'`)),
    `copy ${name}`,
    `start ${service.start.join(" ")}`,
    // Streams first: everybody else needs them.
    ...(identity === undefined ? [streamsLine(plan)] : []),
  ]);
}

/** Paths without a quote in them: GitUrl lets others in, and a shell would end its own there. */
const localRepos = ({ repos }: Plan): readonly string[] =>
  Object.values(repos).flatMap(({ url }) =>
    url.startsWith("file://") && !url.includes("'") ? [url.slice("file://".length)] : [],
  );

const streamsLine = ({ program, nats, directory }: Plan): string => {
  const trust = nats.caFile === undefined ? "" : ` --tls-ca ${nats.caFile}`;
  return `until_works ${program} --server ${nats.url}${trust} --nkey ${directory}/${adminName}/${natsKeyFile} --inbox-prefix _INBOX_admin nats setup`.replace(
    directory,
    '"$here"',
  );
};

function operatorLines(plan: Plan, { name, identity, proofs }: Part): readonly string[] {
  const user = identity !== undefined && "name" in identity ? (identity.name ?? "root") : "root";
  return [
    `if getent passwd ${user} >/dev/null; then copy ${name} ${user}; else copy ${name}; fi`,
    ...(plan.nats.isLoopback
      ? proofs.map(({ command }, index) => `${index === 0 ? "until_works " : ""}${command}`)
      : []),
  ];
}

const indented = (steps: readonly string[]): string => steps.map((step) => `      ${step}`).join("\n");
