provider "proxmox" {
  endpoint  = var.proxmox_endpoint
  api_token = var.proxmox_api_token

  # The API cannot write snippets; the provider copies them over ssh, with a key of the agent.
  ssh {
    agent    = true
    username = var.proxmox_ssh_username
  }
}
