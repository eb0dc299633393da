# What vms.tf comes to, without a Proxmox: `tofu init && tofu test`.
mock_provider "proxmox" {
  # The provider checks the form of this one.
  mock_resource "proxmox_virtual_environment_file" {
    defaults = {
      id = "local:snippets/mock.bootstrap.yaml"
    }
  }
}

variables {
  proxmox_endpoint  = "https://pve1.example.net:8006/"
  proxmox_api_token = "nobody@pve!test=00000000-0000-0000-0000-000000000000"
  node_name         = "pve1"
  flake_url         = "git+https://git.example.net/me/nixos-servers.git"
}

run "the_fleet_can_be_planned" {
  command = plan

  assert {
    condition     = toset(keys(output.inventory)) == toset(keys(local.vms))
    error_message = "Every entry of vms is a VM, and there are no others."
  }

  assert {
    condition     = output.inventory["nix-cache01"].nix_disk == "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_nixstore"
    error_message = "The cache host has a disk of its own for /nix."
  }

  assert {
    condition     = output.inventory["testvm01"].nix_disk == null
    error_message = "A VM without nix_disk_size has one disk."
  }
}

run "an_endpoint_without_tls_is_refused" {
  command = plan

  variables {
    proxmox_endpoint = "http://pve1.example.net:8006/"
  }

  expect_failures = [var.proxmox_endpoint]
}
