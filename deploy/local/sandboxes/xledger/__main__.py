from deploy.local.sandboxes.serving import main
from deploy.local.sandboxes.xledger.application import build

main("xledger", build)
