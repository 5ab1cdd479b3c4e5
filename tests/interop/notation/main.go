// Command notation lets the reference library of the Notary Project judge what countersign signed, and sign what
// countersign then judges.
//
//	notation verify [-scope HOST/REPOSITORY] STORE REFERENCE CONFIG
//	notation sign LAYOUT REFERENCE KEY CHAIN
//
// LAYOUT is the directory of an OCI image layout, STORE one or http://HOST/REPOSITORY, REFERENCE a tag or digest in it,
// CONFIG a directory as Notation keeps one (trustpolicy.json and truststore/), KEY and CHAIN are PEM files, the chain
// leaf first.
//
// Standard output is one JSON object. The exit code is 0 for accepted or signed, 1 for rejected, 2 for a command line
// that does not parse, 3 where it could not be judged or signed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/notaryproject/notation-core-go/signature/jws"
	"github.com/notaryproject/notation-go"
	"github.com/notaryproject/notation-go/dir"
	"github.com/notaryproject/notation-go/registry"
	"github.com/notaryproject/notation-go/signer"
	"github.com/notaryproject/notation-go/verifier"
	"github.com/notaryproject/notation-go/verifier/trustpolicy"
	"github.com/notaryproject/notation-go/verifier/truststore"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry/remote"
)

const (
	exitAccepted = 0
	exitRejected = 1
	exitUsage    = 2
	exitFailed   = 3
)

// unscoped is the repository that a layout is taken for where none is given; only a policy for "*" covers it.
const unscoped = "layout.invalid/unscoped"

// plain is how the name of a repository begins, where a layout could stand too.
const plain = "http://"

// maxSignatures is how many signatures are judged, as many as the notation command judges by default.
const maxSignatures = 100

// verdict is what verify prints.
type verdict struct {
	Accepted   bool      `json:"accepted"`
	Digest     string    `json:"digest"`
	Signatures []outcome `json:"signatures"`
	Error      string    `json:"error,omitempty"`
}

// outcome is the judgement of one signature.
type outcome struct {
	Manifest    string       `json:"manifest"`
	Accepted    bool         `json:"accepted"`
	Scheme      string       `json:"scheme,omitempty"`
	Algorithm   int          `json:"algorithm,omitempty"`
	Validations []validation `json:"validations"`
	Error       string       `json:"error,omitempty"`
}

// validation is one of the five validations of a signature.
type validation struct {
	Type   string `json:"type"`
	Action string `json:"action"`
	Error  string `json:"error,omitempty"`
}

// signed is what sign prints.
type signed struct {
	Digest     string   `json:"digest"`
	Signatures []string `json:"signatures"`
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprintln(stderr, "expected verify or sign")
		return exitUsage
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(stderr)
	scope := flags.String("scope", unscoped, "the repository that the layout is taken for")
	if err := flags.Parse(args[1:]); err != nil {
		return exitUsage
	}
	var answer any
	var err error
	code := exitAccepted
	switch {
	case args[0] == "verify" && flags.NArg() == 3:
		var v verdict
		v, err = verify(ctx, *scope, flags.Arg(0), flags.Arg(1), flags.Arg(2))
		if !v.Accepted {
			code = exitRejected
		}
		answer = v
	case args[0] == "sign" && flags.NArg() == 4:
		answer, err = sign(ctx, flags.Arg(0), flags.Arg(1), flags.Arg(2), flags.Arg(3))
	default:
		fmt.Fprintln(stderr, "expected verify STORE REFERENCE CONFIG, or sign LAYOUT REFERENCE KEY CHAIN")
		return exitUsage
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(answer); err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return code
}

// verify judges every signature of an image, and lets the library give the verdict over all of them.
func verify(ctx context.Context, scope, store, reference, config string) (verdict, error) {
	judge, err := newVerifier(config)
	if err != nil {
		return verdict{}, err
	}
	var images registry.Repository
	if name, found := strings.CutPrefix(store, plain); found {
		scope = name
		images, err = openRegistry(name)
	} else {
		images, err = open(store)
	}
	if err != nil {
		return verdict{}, err
	}
	subject, err := images.Resolve(ctx, reference)
	if err != nil {
		return verdict{}, fmt.Errorf("could not resolve %q: %w", reference, err)
	}
	result := verdict{Digest: subject.Digest.String(), Signatures: []outcome{}}
	full := scope + "@" + subject.Digest.String()
	err = images.ListSignatures(ctx, subject, func(manifests []ocispec.Descriptor) error {
		for _, manifest := range manifests {
			result.Signatures = append(result.Signatures, judgeOne(ctx, judge, images, subject, full, manifest))
		}
		return nil
	})
	if err != nil {
		return verdict{}, fmt.Errorf("could not list the signatures: %w", err)
	}
	_, _, err = notation.Verify(ctx, judge, images, notation.VerifyOptions{
		ArtifactReference:    full,
		MaxSignatureAttempts: maxSignatures,
	})
	result.Accepted = err == nil
	if err != nil {
		result.Error = err.Error()
	}
	return result, nil
}

// openRegistry opens a repository of a registry that is spoken to without TLS; here nothing is added to the library.
func openRegistry(name string) (registry.Repository, error) {
	repository, err := remote.NewRepository(name)
	if err != nil {
		return nil, fmt.Errorf("could not open the repository: %w", err)
	}
	repository.PlainHTTP = true
	return registry.NewRepository(repository), nil
}

// open opens a layout that is one; the library alone would make one out of any directory.
func open(layout string) (registry.Repository, error) {
	for _, file := range []string{"oci-layout", "index.json"} {
		if _, err := os.Stat(filepath.Join(layout, file)); err != nil {
			return nil, fmt.Errorf("expected an OCI image layout: %w", err)
		}
	}
	store, err := oci.New(layout)
	if err != nil {
		return nil, fmt.Errorf("could not open the layout: %w", err)
	}
	return repository{registry.NewRepositoryWithOptions(store, registry.RepositoryOptions{}), store}, nil
}

// repository lists what the library lists, and signatures whose manifests say in artifactType what they are: release
// 1.3 of the library goes by the type of the config alone in layouts, and does not see these. Judging stays its own.
type repository struct {
	registry.Repository
	store *oci.Store
}

func (r repository) ListSignatures(ctx context.Context, subject ocispec.Descriptor, tell func([]ocispec.Descriptor) error) error {
	var listed []ocispec.Descriptor
	err := r.Repository.ListSignatures(ctx, subject, func(manifests []ocispec.Descriptor) error {
		listed = append(listed, manifests...)
		return nil
	})
	if err != nil {
		return err
	}
	nodes, err := r.store.Predecessors(ctx, subject)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		if node.MediaType != ocispec.MediaTypeImageManifest {
			continue
		}
		text, err := content.FetchAll(ctx, r.store, node)
		if err != nil {
			return err
		}
		var manifest ocispec.Manifest
		if err := json.Unmarshal(text, &manifest); err != nil {
			return err
		}
		about := manifest.Subject != nil && content.Equal(*manifest.Subject, subject)
		current := manifest.ArtifactType == registry.ArtifactTypeNotation && manifest.Config.MediaType == ocispec.MediaTypeEmptyJSON
		if about && current {
			listed = append(listed, node)
		}
	}
	if len(listed) == 0 {
		return nil
	}
	return tell(listed)
}

// newVerifier reads a policy and a trust store from a directory, and nothing from the user's own configuration.
func newVerifier(config string) (notation.Verifier, error) {
	text, err := os.ReadFile(filepath.Join(config, "trustpolicy.json"))
	if err != nil {
		return nil, err
	}
	var policy trustpolicy.Document
	if err := json.Unmarshal(text, &policy); err != nil {
		return nil, fmt.Errorf("could not read the trust policy: %w", err)
	}
	store := truststore.NewX509TrustStore(dir.NewSysFS(config))
	judge, err := verifier.New(&policy, store, nil)
	if err != nil {
		return nil, fmt.Errorf("the trust policy is not valid: %w", err)
	}
	return judge, nil
}

// judgeOne judges one signature, whatever the others are worth.
func judgeOne(ctx context.Context, judge notation.Verifier, images registry.Repository, subject ocispec.Descriptor, full string, manifest ocispec.Descriptor) outcome {
	one := outcome{Manifest: manifest.Digest.String(), Validations: []validation{}}
	envelope, descriptor, err := images.FetchSignatureBlob(ctx, manifest)
	if err != nil {
		one.Error = err.Error()
		return one
	}
	result, err := judge.Verify(ctx, subject, envelope, notation.VerifierVerifyOptions{
		ArtifactReference:  full,
		SignatureMediaType: descriptor.MediaType,
	})
	one.Accepted = err == nil
	if err != nil {
		one.Error = err.Error()
	}
	if result == nil {
		return one
	}
	if content := result.EnvelopeContent; content != nil {
		one.Scheme = string(content.SignerInfo.SignedAttributes.SigningScheme)
		one.Algorithm = int(content.SignerInfo.SignatureAlgorithm)
	}
	for _, check := range result.VerificationResults {
		said := validation{Type: string(check.Type), Action: string(check.Action)}
		if check.Error != nil {
			said.Error = check.Error.Error()
		}
		one.Validations = append(one.Validations, said)
	}
	return one
}

// sign signs an image with a local key, as the notation command would, and names all its signatures.
func sign(ctx context.Context, layout, reference, key, chain string) (signed, error) {
	local, err := signer.NewGenericSignerFromFiles(key, chain)
	if err != nil {
		return signed{}, fmt.Errorf("could not read the key and its chain: %w", err)
	}
	images, err := open(layout)
	if err != nil {
		return signed{}, err
	}
	subject, err := notation.Sign(ctx, local, images, notation.SignOptions{
		SignerSignOptions: notation.SignerSignOptions{SignatureMediaType: jws.MediaTypeEnvelope},
		ArtifactReference: reference,
	})
	if err != nil {
		return signed{}, fmt.Errorf("could not sign: %w", err)
	}
	result := signed{Digest: subject.Digest.String(), Signatures: []string{}}
	err = images.ListSignatures(ctx, subject, func(manifests []ocispec.Descriptor) error {
		for _, manifest := range manifests {
			result.Signatures = append(result.Signatures, manifest.Digest.String())
		}
		return nil
	})
	if err == nil && len(result.Signatures) == 0 {
		err = errors.New("the signature was pushed and is not listed")
	}
	return result, err
}
