// Reads a log as Go's checksum database does (golang.org/x/mod/sumdb): an oracle for the tests.
//
// The argument is a folder with the log's verifier key (vkey), a checkpoint, an older one (old) and the log's key of then
// (old.vkey), the entries one after another (entries, 97 bytes each), proofs as one hash a line in base64 (inclusion.N,
// consistency), and tiles under their C2SP paths. Go's tiles name their height and call entries data; everything else is the same.
package main

import (
	"encoding/base64"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height     = 8
	entryBytes = 97
)

var dir string

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: oracle FOLDER")
	}
	dir = os.Args[1]
	tree, old := checkpoint("vkey", "checkpoint"), checkpoint("old.vkey", "old")

	entries := file("entries")
	if int64(len(entries)) != tree.N*entryBytes {
		log.Fatal("the entries are not as many as the checkpoint says")
	}
	record := func(n int64) []byte { return entries[n*entryBytes : (n+1)*entryBytes] }

	reader := tlog.TileHashReader(tree, tiles{})
	proofs, err := filepath.Glob(filepath.Join(dir, "inclusion.*"))
	check(err)
	if len(proofs) == 0 {
		log.Fatal("there is no inclusion proof")
	}
	for _, path := range proofs {
		n, err := strconv.ParseInt(filepath.Ext(path)[1:], 10, 64)
		check(err)
		proof := tlog.RecordProof(hashes(filepath.Base(path)))
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(record(n))))
		own, err := tlog.ProveRecord(tree.N, n, reader)
		check(err)
		same("inclusion", own, proof)
	}
	proof := tlog.TreeProof(hashes("consistency"))
	check(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
	own, err := tlog.ProveTree(tree.N, old.N, reader)
	check(err)
	same("consistency", own, proof)

	// Every tile is where Go looks for it, and none is elsewhere.
	expected := map[string]bool{}
	for _, tile := range tlog.NewTiles(height, 0, tree.N) {
		expected[local(tile)] = true
		want, err := tlog.ReadTileData(tile, reader)
		check(err)
		if string(want) != string(file(local(tile))) {
			log.Fatalf("%s has other bytes", local(tile))
		}
	}
	check(filepath.Walk(filepath.Join(dir, "tile"), func(path string, info os.FileInfo, err error) error {
		check(err)
		name, err := filepath.Rel(dir, path)
		check(err)
		if !info.IsDir() && !expected[name] {
			log.Fatalf("Go knows no tile %s", name)
		}
		delete(expected, name)
		return nil
	}))
	for name := range expected {
		log.Fatalf("%s is not there", name)
	}
	fmt.Println("ok")
}

// A checkpoint whose signature holds. Go's trees have a fixed first line, and the same other two.
func checkpoint(key, name string) tlog.Tree {
	verifier, err := note.NewVerifier(strings.TrimSpace(string(file(key))))
	check(err)
	opened, err := note.Open(file(name), note.VerifierList(verifier))
	check(err)
	lines := strings.SplitN(opened.Text, "\n", 2)
	if lines[0] != verifier.Name() {
		log.Fatal("the origin is not the key's name")
	}
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + lines[1]))
	check(err)
	return tree
}

// The C2SP path of one of Go's tiles.
func local(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
}

type tiles struct{}

func (tiles) Height() int { return height }

func (tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		bytes, err := os.ReadFile(filepath.Join(dir, local(tile)))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func hashes(name string) []tlog.Hash {
	var list []tlog.Hash
	for _, line := range strings.Fields(string(file(name))) {
		bytes, err := base64.StdEncoding.DecodeString(line)
		check(err)
		var hash tlog.Hash
		if copy(hash[:], bytes) != len(hash) || len(bytes) != len(hash) {
			log.Fatal("a hash has 32 bytes")
		}
		list = append(list, hash)
	}
	return list
}

func same(what string, own, given []tlog.Hash) {
	if fmt.Sprint(own) != fmt.Sprint(given) {
		log.Fatalf("Go proves %s otherwise", what)
	}
}

func file(name string) []byte {
	bytes, err := os.ReadFile(filepath.Join(dir, name))
	check(err)
	return bytes
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
