# After ./build.sh, in the root of the repository:
#
#   docker buildx bake -f images/image/docker-bake.hcl -f dist/context/bake.json --load
#   docker buildx bake -f images/image/docker-bake.hcl -f dist/context/bake.json --push --set image.tags=REGISTRY/NAME:TAG
#
# dist/context/bake.json adds platforms, labels and annotations to the target, from where the archive takes them too.

group "default" {
  targets = ["image"]
}

target "image" {
  context = "dist/context"
  attest  = ["type=provenance,mode=max"]
}
