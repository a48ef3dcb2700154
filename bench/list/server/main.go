// A canned S3 that can do nothing but list: keys of three shapes (the bucket names the shape), made by index and never stored, so
// that the server costs little beside its clients. It checks no signature. Every LIST waits first, as a store far away does.
//
//	list-server -keys 1000000 -wait 80ms      prints its address; GET /.stats answers and resets {"requests":…,"most":…}
package main

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	count = flag.Int("keys", 1_000_000, "keys in each bucket")
	wait  = flag.Duration("wait", 0, "before each answer to a LIST")

	requests, flying, most atomic.Int64
)

// A shape appends its key of an index; keys rise with it.
type shape func(to []byte, index int) []byte

func digits(to []byte, value, width int) []byte {
	text := strconv.Itoa(value)
	for i := len(text); i < width; i++ {
		to = append(to, '0')
	}
	return append(to, text...)
}

// Three years of days, all alike: scenes/2022/03/14/S2A_T32TNS_0400123.tif
func dateTree(to []byte, index int) []byte {
	const days = 1096
	day := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(int64(index)*days/int64(*count)))
	to = append(day.AppendFormat(append(to, "scenes/"...), "2006/01/02"), "/S2A_T32TNS_"...)
	return append(digits(to, index, 7), ".tif"...)
}

// One flat prefix: frames/img_000400123.jpg
func flatPrefix(to []byte, index int) []byte {
	return append(digits(append(to, "frames/img_"...), index, 9), ".jpg"...)
}

var hashes = sync.OnceValue(func() []uint64 {
	all := make([]uint64, *count)
	for i := range all {
		all[i] = mix(uint64(i))
	}
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	return all
})

// Hash prefixes: 3f/a9/3fa9c17e02b4d586.bin
func hashPrefixes(to []byte, index int) []byte {
	hex := fmt.Sprintf("%016x", hashes()[index])
	return append(append(append(append(append(append(to, hex[:2]...), '/'), hex[2:4]...), '/'), hex...), ".bin"...)
}

// splitmix64
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

var shapes = map[string]shape{"date": dateTree, "hash": hashPrefixes, "flat": flatPrefix}

// The first index whose key lies behind the text.
func behind(of shape, text string) int {
	if text == "" {
		return 0
	}
	var key []byte
	return sort.Search(*count, func(i int) bool {
		key = of(key[:0], i)
		return string(key) > text
	})
}

func list(answer http.ResponseWriter, bucket string, of shape, query url.Values) {
	isV2 := query.Get("list-type") == "2"
	prefix, delimiter := query.Get("prefix"), query.Get("delimiter")
	limit := 1000
	if given, err := strconv.Atoi(query.Get("max-keys")); err == nil && given >= 0 && given < limit {
		limit = given
	}
	after := query.Get("marker")
	if isV2 {
		after = query.Get("start-after")
		if token := query.Get("continuation-token"); token != "" {
			last, err := base64.URLEncoding.DecodeString(strings.TrimPrefix(token, "t-"))
			if err != nil {
				http.Error(answer, "token", http.StatusBadRequest)
				return
			}
			after = string(last)
		}
	}
	at := behind(of, after)
	if first := behind(of, prefix); after < prefix && first > at {
		at = first
		if first > 0 && string(of(nil, first-1)) == prefix {
			at--
		}
	}

	body := make([]byte, 0, 300_000)
	var folded, key []byte
	last, found := "", 0
	for ; at < *count && found < limit; found++ {
		key = of(key[:0], at)
		if !strings.HasPrefix(string(key), prefix) {
			at = *count
			break
		}
		if end := strings.Index(string(key[len(prefix):]), delimiter); delimiter != "" && end >= 0 {
			last = string(key[:len(prefix)+end+len(delimiter)])
			folded = append(append(append(folded, "<CommonPrefixes><Prefix>"...), last...), "</Prefix></CommonPrefixes>"...)
			last += "\U0010ffff"
			at = behind(of, last)
			continue
		}
		body = appendEntry(body, key, at)
		at++
	}
	if found > 0 && (last == "" || string(key) > last) {
		last = string(key)
	}
	isTruncated := at < *count && strings.HasPrefix(string(of(nil, at)), prefix)

	head := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>%s</Name><Prefix>%s</Prefix><MaxKeys>%d</MaxKeys><IsTruncated>%t</IsTruncated>`, bucket, prefix, limit, isTruncated)
	if query.Get("encoding-type") == "url" {
		head += "<EncodingType>url</EncodingType>"
	}
	switch {
	case isV2 && isTruncated:
		head += fmt.Sprintf("<KeyCount>%d</KeyCount><NextContinuationToken>t-%s</NextContinuationToken>", found, base64.URLEncoding.EncodeToString([]byte(last)))
	case isV2:
		head += fmt.Sprintf("<KeyCount>%d</KeyCount>", found)
	case isTruncated:
		head += "<NextMarker>" + last + "</NextMarker>"
	}
	const tail = "</ListBucketResult>"
	answer.Header().Set("Content-Type", "application/xml")
	answer.Header().Set("Content-Length", strconv.Itoa(len(head)+len(body)+len(folded)+len(tail)))
	answer.Write([]byte(head))
	answer.Write(body)
	answer.Write(append(folded, tail...))
}

// Sizes and sums that do not compress.
func appendEntry(to, key []byte, index int) []byte {
	const hex = "0123456789abcdef"
	to = append(append(append(to, "<Contents><Key>"...), key...), "</Key><LastModified>2026-0"...)
	to = append(to, byte('1'+index%9), '-', '1', byte('0'+index%10), 'T', '0', byte('0'+index/3%10), ':', byte('0'+index/5%6), byte('0'+index/11%10))
	to = append(to, ":07.000Z</LastModified><ETag>&quot;"...)
	for _, half := range [2]uint64{mix(uint64(index)), mix(^uint64(index))} {
		for shift := 60; shift >= 0; shift -= 4 {
			to = append(to, hex[half>>shift&15])
		}
	}
	to = append(to, "&quot;</ETag><Size>"...)
	to = strconv.AppendUint(to, mix(uint64(index)<<1)>>36, 10)
	return append(to, "</Size><StorageClass>STANDARD</StorageClass></Contents>"...)
}

func serve(answer http.ResponseWriter, request *http.Request) {
	bucket := strings.Trim(request.URL.Path, "/")
	query, err := url.ParseQuery(request.URL.RawQuery)
	of, isKnown := shapes[bucket]
	switch {
	case bucket == ".stats":
		json.NewEncoder(answer).Encode(map[string]int64{"requests": requests.Swap(0), "most": most.Swap(0)})
	case err != nil || request.Method != http.MethodGet && request.Method != http.MethodHead:
		http.Error(answer, "request", http.StatusBadRequest)
	case !isKnown:
		answer.Header().Set("Content-Type", "application/xml")
		answer.WriteHeader(http.StatusNotFound)
		fmt.Fprint(answer, "<Error><Code>NoSuchBucket</Code></Error>")
	case query.Has("location"):
		fmt.Fprint(answer, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>`)
	case query.Has("versioning"):
		fmt.Fprint(answer, `<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>`)
	case request.Method == http.MethodHead:
		answer.Header().Set("x-amz-bucket-region", "us-east-1")
	default:
		requests.Add(1)
		now := flying.Add(1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		time.Sleep(*wait)
		list(answer, bucket, of, query)
		flying.Add(-1)
	}
}

func main() {
	flag.Parse()
	hashes()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	http.Serve(listener, http.HandlerFunc(serve))
}
