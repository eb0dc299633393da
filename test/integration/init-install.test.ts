// `install.sh` of an installation that `init` wrote, on a machine with a real systemd: three commands from nothing to a
// build of one's own flake. The machine is one of the lab, with Debian's units in the place of NixOS's.
import { chmod } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, expect, test as base } from "vitest";
import { createFleet } from "../support/fleet.ts";
import { startLab, whyNoLab } from "../support/lab/lab.ts";

const test = base.extend("lab", { scope: "file" }, async ({}, { onCleanup }) => {
  const lab = await startLab();
  onCleanup(() => lab[Symbol.asyncDispose]());
  return lab;
});

/**
 * What Debian's package nix-setup-systemd brings, and the lab takes away. And in the place of LoadCredential=, whose files a
 * service cannot read in the namespaces of the lab, copies of them.
 */
const debianLike = `
  rm -f /etc/systemd/system /run/systemd/system/nix-daemon.*
  mkdir -p /etc/systemd/system
  printf '%s\\n' '[Socket]' 'ListenStream=/nix/var/nix/daemon-socket/socket' >/etc/systemd/system/nix-daemon.socket
  printf '%s\\n' '[Service]' 'ExecStart=/usr/bin/nix-daemon --daemon' >/etc/systemd/system/nix-daemon.service
  mkdir -p /etc/systemd/system/homelab-deploy-.service.d
  cat >/etc/systemd/system/homelab-deploy-.service.d/lab.conf <<'END'
[Service]
LoadCredential=
Environment=CREDENTIALS_DIRECTORY=/run/lab-credentials/%p
ExecStartPre=+/bin/sh -c 'umask 022; mkdir -p /run/lab-credentials/%p; part=%p; cp /etc/homelab-deploy/$\${part#homelab-deploy-}-*/*.nk /run/lab-credentials/%p/ && chmod 0644 /run/lab-credentials/%p/*; exit 0'
END
  systemctl daemon-reload
`;

describe.skipIf(whyNoLab() !== undefined)("on a machine with systemd", () => {
  test("install.sh starts everything under its own user, and builds the flake", async ({ lab }) => {
    const [system] = await lab.build("machine", [{}]);
    if (system === undefined) throw new Error("no system was built");
    const host = await lab.install("machine", system);
    await host.run("sh", "-ec", debianLike);
    const fleet = await createFleet(lab.sharedDirectory);
    await fleet.commit({ hosts: 2, salt: "install" });
    // Its directory is for our user alone, as temporary ones are.
    await chmod(dirname(fleet.bare), 0o755);
    const url = fleet.url.replace(lab.sharedDirectory, "/lab");

    const program = "/opt/homelab-deploy/bin/homelab-deploy";
    const made = await host.exec([
      program,
      "init",
      "--yes",
      "--repo",
      `fleet=${url}`,
      "--updater",
      "timer",
      "/srv/homelab",
    ]);
    expect(made.stderr).toBe("");
    expect(made.stdout).toContain("/srv/homelab/install.sh");

    const installed = await host.exec(["/srv/homelab/install.sh"], { timeoutMs: 400_000 });
    const logs = await host.exec(["journalctl", "--no-pager", "--lines=60"]);
    expect(installed.stdout, `${installed.stderr}\n${logs.stdout}`).toContain("2 hosts succeeded");
    expect(installed.exitCode).toBe(0);

    const unit = async (name: string, property: string): Promise<string> =>
      (await host.run("systemctl", "show", "--value", "--property", property, name)).trim();
    for (const name of ["homelab-deploy-nats", "homelab-deploy-builder", "homelab-deploy-dashboard"]) {
      expect(await unit(name, "ActiveState"), name).toBe("active");
      expect(await unit(name, "NRestarts"), name).toBe("0");
    }
    expect(await unit("homelab-deploy-update-fleet.timer", "ActiveState")).toBe("active");
    expect(await unit("homelab-deploy-builder", "User")).toBe("homelab-deploy");

    // Once more changes nothing that is there; another key is refused.
    expect((await host.exec(["/srv/homelab/install.sh", "nats"])).exitCode).toBe(0);
    await host.run("sh", "-ec", "cp /srv/homelab/admin/nats.nk /etc/homelab-deploy/builder-*/nats.nk");
    const refused = await host.exec(["sh", "-c", "/srv/homelab/install.sh builder-machine"]);
    expect(refused.stderr).toContain("is another key");
    expect(refused.exitCode).toBe(1);
  }, 500_000);
});
