# The module by itself: what it sets, and what it refuses before anything is created.
mock_provider "proxmox" {
  # The provider checks the form of this one.
  mock_resource "proxmox_virtual_environment_file" {
    defaults = {
      id = "local:snippets/mock.bootstrap.yaml"
    }
  }
}

variables {
  name                 = "web01"
  node_name            = "pve1"
  tags                 = ["prod", "nixos"]
  cpu_cores            = 2
  memory               = 2048
  disk_size            = "20G"
  datastore_id         = "local-lvm"
  image_file_id        = "local:import/nixos-base.qcow2"
  ip                   = "10.69.13.20/24"
  gateway              = "10.69.13.1"
  dns_servers          = ["10.69.13.5"]
  snippet_datastore_id = "local"
  flake_url            = "git+https://git.example.net/me/nixos-servers.git"
  flake_branch         = "master"
}

run "dangerous_defaults_are_off" {
  command = plan

  module {
    source = "./modules/nixos-vm"
  }

  assert {
    condition = (
      proxmox_virtual_environment_vm.this.protection &&
      proxmox_virtual_environment_vm.this.migrate &&
      !proxmox_virtual_environment_vm.this.reboot_after_update &&
      !proxmox_virtual_environment_vm.this.delete_unreferenced_disks_on_destroy &&
      !proxmox_virtual_environment_vm.this.purge_on_destroy
    )
    error_message = "No reboot, no deletion and no replacement by itself."
  }

  assert {
    condition     = proxmox_virtual_environment_vm.this.tags == tolist(["nixos", "prod"])
    error_message = "Tags are sorted, as Proxmox keeps them."
  }

  assert {
    condition     = !proxmox_virtual_environment_vm.this.agent[0].enabled
    error_message = "Nothing waits for an agent that does not run yet."
  }

  assert {
    condition     = length(proxmox_virtual_environment_vm.this.disk) == 1
    error_message = "One disk, unless nix_disk_size says otherwise."
  }
}

run "the_nix_disk_is_found_by_its_serial_number" {
  command = plan

  module {
    source = "./modules/nixos-vm"
  }

  variables {
    nix_disk_size = "200G"
  }

  assert {
    condition = (
      proxmox_virtual_environment_vm.this.disk[1].interface == "scsi1" &&
      proxmox_virtual_environment_vm.this.disk[1].serial == "nixstore" &&
      proxmox_virtual_environment_vm.this.disk[1].size == 200 &&
      !proxmox_virtual_environment_vm.this.disk[1].backup
    )
    error_message = "A second disk of 200 GiB with a serial number, left out of backups."
  }
}

run "the_snippet_has_the_wrapper_and_only_that" {
  command = plan

  module {
    source = "./modules/nixos-vm"
  }

  variables {
    vault_address     = "https://vault.example.net:8200"
    vault_role_id     = "web01"
    wrapped_secret_id = "a-wrapper"
  }

  assert {
    condition = jsondecode(
      yamldecode(proxmox_virtual_environment_file.bootstrap.source_raw[0].data).write_files[0].content
      ) == {
      hostname = "web01"
      flake    = { url = "git+https://git.example.net/me/nixos-servers.git", branch = "master" }
      vault = {
        address           = "https://vault.example.net:8200"
        role_id           = "web01"
        wrapped_secret_id = "a-wrapper"
      }
    }
    error_message = "Bootstrap facts only."
  }
}

run "a_wrapper_without_a_vault_is_refused" {
  command = plan

  module {
    source = "./modules/nixos-vm"
  }

  variables {
    wrapped_secret_id = "a-wrapper"
  }

  expect_failures = [proxmox_virtual_environment_vm.this]
}

run "a_gateway_in_another_network_is_refused" {
  command = plan

  module {
    source = "./modules/nixos-vm"
  }

  variables {
    gateway = "10.69.14.1"
  }

  expect_failures = [proxmox_virtual_environment_vm.this]
}

run "the_gateways_own_address_is_refused" {
  command = plan

  module {
    source = "./modules/nixos-vm"
  }

  variables {
    ip = "10.69.13.1/24"
  }

  expect_failures = [proxmox_virtual_environment_vm.this]
}

run "an_address_without_a_prefix_is_refused" {
  command = plan

  module {
    source = "./modules/nixos-vm"
  }

  variables {
    ip = "10.69.13.20"
  }

  expect_failures = [var.ip]
}

run "sizes_that_make_no_sense_are_refused" {
  command = plan

  module {
    source = "./modules/nixos-vm"
  }

  variables {
    name          = "Web_01"
    cpu_cores     = 0
    memory        = 512
    disk_size     = "20"
    nix_disk_size = "0G"
  }

  expect_failures = [var.name, var.cpu_cores, var.memory, var.disk_size, var.nix_disk_size]
}
