// Presigns one URL for each line of a file with the AWS SDK for Go v2: one kept client and presigner, one thread.
//
//	presign FILE ROUNDS BUCKET REGION INSTANT [print]
//
// Keys of the file are one a line. Prints JSON of units, seconds and cpu; with `print` the URLs instead.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// frozen signs as of one instant, as the comparison of URLs needs it.
type frozen struct {
	at     time.Time
	signer *v4.Signer
}

func (f frozen) PresignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, payload string, service string, region string, _ time.Time, options ...func(*v4.SignerOptions)) (string, http.Header, error) {
	return f.signer.PresignHTTP(ctx, credentials, r, payload, service, region, f.at, options...)
}

func cpu() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Sec+usage.Stime.Sec) + float64(usage.Utime.Usec+usage.Stime.Usec)/1e6
}

func main() {
	runtime.GOMAXPROCS(1)
	file, rounds, bucket, region, instant := os.Args[1], number(os.Args[2]), os.Args[3], os.Args[4], os.Args[5]
	at, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		panic(err)
	}
	keys := read(file)
	client := s3.New(s3.Options{
		Region:                     region,
		Credentials:                aws.NewCredentialsCache(aws.CredentialsProviderFunc(keysOfEnvironment)),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
	signer := frozen{at: at, signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })}
	presigner := s3.NewPresignClient(client, func(o *s3.PresignOptions) {
		o.Expires = 15 * time.Minute
		o.Presigner = signer
	})
	presign := func(key string) string {
		request, err := presigner.PresignGetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			panic(err)
		}
		return request.URL
	}
	if len(os.Args) > 6 {
		out := bufio.NewWriter(os.Stdout)
		defer out.Flush()
		for _, key := range keys {
			fmt.Fprintln(out, presign(key))
		}
		return
	}
	sink := 0
	for range min(len(keys), 5000) {
		sink += len(presign(keys[0]))
	}
	since, spent := time.Now(), cpu()
	for round := 0; round < rounds; round++ {
		for _, key := range keys {
			sink += len(presign(key))
		}
	}
	fmt.Printf("{\"units\":%d,\"seconds\":%f,\"cpu\":%f,\"sink\":%d}\n", rounds*len(keys), time.Since(since).Seconds(), cpu()-spent, sink)
}

func keysOfEnvironment(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}, nil
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}

func read(path string) []string {
	file, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	var keys []string
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		keys = append(keys, scanner.Text())
	}
	return keys
}
