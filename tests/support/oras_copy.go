// oras_copy LAYOUT TAG REFERENCE: what `oras copy --from-oci-layout` does, by the library that oras is made of.
package main

import (
	"context"
	"fmt"
	"os"

	"oras.land/oras-go/pkg/content"
	"oras.land/oras-go/pkg/oras"
)

func main() {
	layout, err := content.NewOCI(os.Args[1])
	if err == nil {
		var registry *content.Registry
		registry, err = content.NewRegistry(content.RegistryOptions{PlainHTTP: true})
		if err == nil {
			_, err = oras.Copy(context.Background(), layout, os.Args[2], registry, os.Args[3])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
