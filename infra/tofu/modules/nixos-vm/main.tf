locals {
  address = split("/", var.ip)[0]
  prefix  = split("/", var.ip)[1]

  # The disks by size in GiB: 20G is 20.
  disk_gib     = tonumber(trimsuffix(var.disk_size, "G"))
  nix_disk_gib = var.nix_disk_size == null ? null : tonumber(trimsuffix(var.nix_disk_size, "G"))

  # The guest finds the disk by this and not by /dev/sdb, which changes with the order of the disks.
  nix_disk_serial = "nixstore"

  # What a new VM must know to configure itself, and nothing that would still be worth something tomorrow.
  bootstrap = {
    hostname = var.name
    flake    = { url = var.flake_url, branch = var.flake_branch }
    vault = var.wrapped_secret_id == null ? null : {
      address           = var.vault_address
      role_id           = var.vault_role_id
      wrapped_secret_id = var.wrapped_secret_id
    }
  }
}

resource "proxmox_virtual_environment_file" "bootstrap" {
  content_type = "snippets"
  datastore_id = var.snippet_datastore_id
  node_name    = var.node_name

  source_raw {
    file_name = "${var.name}.bootstrap.yaml"
    data = join("\n", ["#cloud-config", yamlencode({
      hostname          = var.name
      preserve_hostname = false
      users             = [{ name = "root", ssh_authorized_keys = var.ssh_public_keys }]
      # /run: gone with the next boot.
      write_files = [{
        path        = "/run/homelab-bootstrap.json"
        permissions = "0600"
        content     = jsonencode(local.bootstrap)
      }]
    })])
  }
}

resource "proxmox_virtual_environment_vm" "this" {
  name        = var.name
  description = "NixOS, ${var.flake_url} ${var.name}. Managed by OpenTofu."
  vm_id       = var.vm_id
  node_name   = var.node_name
  # Proxmox sorts them: any other order differs at every plan.
  tags = sort(distinct(var.tags))

  # The provider's defaults reboot a host that gets a core more, delete disks that it does not know, and make a VM
  # anew when its node changes.
  reboot_after_update                  = false
  delete_unreferenced_disks_on_destroy = false
  purge_on_destroy                     = false
  migrate                              = true
  # Proxmox itself refuses to delete the VM or a disk of it. prevent_destroy does not help when the block is gone.
  protection = true
  on_boot    = true

  machine       = "q35"
  bios          = "ovmf"
  scsi_hardware = "virtio-scsi-single"
  tablet_device = false
  boot_order    = ["scsi0"]

  agent {
    enabled = var.guest_agent
    timeout = "2m"
    trim    = true

    wait_for_ip {
      ipv4 = true
    }
  }

  cpu {
    cores = var.cpu_cores
    type  = var.cpu_type
  }

  memory {
    dedicated = var.memory
    # A balloon takes memory away in the middle of an evaluation.
    floating = 0
  }

  efi_disk {
    datastore_id = var.datastore_id
    type         = "4m"
    # With Microsoft's keys secure boot is on and refuses NixOS.
    pre_enrolled_keys = false
  }

  disk {
    interface    = "scsi0"
    datastore_id = var.datastore_id
    import_from  = var.image_file_id
    size         = local.disk_gib
    discard      = "on"
    iothread     = true
    ssd          = true
  }

  # The interface is the disk's identity: to change it deletes the disk.
  dynamic "disk" {
    for_each = local.nix_disk_gib == null ? [] : [local.nix_disk_gib]

    content {
      interface    = "scsi1"
      serial       = local.nix_disk_serial
      datastore_id = var.datastore_id
      size         = disk.value
      discard      = "on"
      iothread     = true
      ssd          = true
      # All of it can be built again.
      backup = false
    }
  }

  network_device {
    bridge  = var.bridge
    vlan_id = var.vlan_id
  }

  initialization {
    datastore_id      = var.datastore_id
    user_data_file_id = proxmox_virtual_environment_file.bootstrap.id

    dns {
      servers = var.dns_servers
    }

    ip_config {
      ipv4 {
        address = var.ip
        gateway = var.gateway
      }
    }
  }

  operating_system {
    type = "l26"
  }

  # `qm terminal`, for when the network is what is broken.
  serial_device {}

  # Acts once systemd in the guest has opened it (systemd.watchdog.runtimeTime).
  watchdog {
    enabled = true
    model   = "i6300esb"
    action  = "reset"
  }

  lifecycle {
    prevent_destroy = true
    # Both are only for the first boot: a new image or a new wrapper must not touch a host that lives.
    ignore_changes = [initialization, disk[0].import_from]

    precondition {
      condition     = cidrhost(var.ip, 0) == cidrhost("${var.gateway}/${local.prefix}", 0)
      error_message = "The gateway ${var.gateway} is not in the network of ${var.ip}."
    }

    precondition {
      condition     = local.address != var.gateway
      error_message = "${var.ip} is the gateway's address."
    }

    precondition {
      condition     = nonsensitive(var.wrapped_secret_id == null) || (var.vault_address != null && var.vault_role_id != null)
      error_message = "A wrapped secret_id is of no use without vault_address and vault_role_id."
    }

    # The first proof that the VM configured itself.
    postcondition {
      condition     = !var.guest_agent || contains(flatten(self.ipv4_addresses), local.address)
      error_message = "The guest agent of ${var.name} does not report ${local.address}. Look at its console; set guest_agent to false until it runs."
    }
  }
}
