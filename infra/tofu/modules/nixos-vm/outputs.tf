output "host" {
  description = "What others must know of this VM; no secrets."
  value = {
    name         = var.name
    address      = local.address
    vm_id        = proxmox_virtual_environment_vm.this.vm_id
    node_name    = proxmox_virtual_environment_vm.this.node_name
    tags         = proxmox_virtual_environment_vm.this.tags
    cpu_cores    = var.cpu_cores
    memory       = var.memory
    flake_branch = var.flake_branch
    # QEMU's name for a SCSI disk with this serial number.
    nix_disk = var.nix_disk_size == null ? null : "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_${local.nix_disk_serial}"
  }
}
