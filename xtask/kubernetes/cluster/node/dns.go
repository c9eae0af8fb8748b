package main

import (
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// The cluster's domain in xtask/kubernetes/node/kubelet.yaml, below which each Service has a name.
const domain = ".svc.cluster.local."

// messageMax is the size of a DNS message over UDP, in bytes (RFC 1035, section 2.3.4).
const messageMax = 512

// serveNames answers for the cluster IPs of Services, over UDP on port 53 of every address.
func serveNames(kubeconfig string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	services := factory.Core().V1().Services().Lister()
	factory.Start(wait.NeverStop)
	factory.WaitForCacheSync(wait.NeverStop)
	connection, err := net.ListenPacket("udp4", ":53")
	if err != nil {
		return err
	}
	buffer := make([]byte, messageMax)
	for {
		size, client, err := connection.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if reply, err := answer(services, buffer[:size]); err == nil {
			_, _ = connection.WriteTo(reply, client)
		}
	}
}

func answer(services listers.ServiceLister, question []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(question)
	if err != nil {
		return nil, err
	}
	asked, err := parser.Question()
	if err != nil {
		return nil, err
	}
	reply := dnsmessage.Message{
		Header: dnsmessage.Header{
			ID: header.ID, Response: true, Authoritative: true,
			RecursionDesired: header.RecursionDesired, RCode: dnsmessage.RCodeNameError,
		},
		Questions: []dnsmessage.Question{asked},
	}
	if address := addressOf(services, asked.Name.String()); address != nil {
		reply.RCode = dnsmessage.RCodeSuccess
		if asked.Type == dnsmessage.TypeA {
			reply.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: dnsmessage.ClassINET, TTL: 5},
				Body:   &dnsmessage.AResource{A: [4]byte(address)},
			}}
		}
	}
	return reply.Pack()
}

// addressOf finds the IPv4 address of NAME.NAMESPACE.svc.cluster.local.
func addressOf(services listers.ServiceLister, asked string) net.IP {
	path, isOurs := strings.CutSuffix(strings.ToLower(asked), domain)
	name, namespace, isService := strings.Cut(path, ".")
	if !isOurs || !isService {
		return nil
	}
	service, err := services.Services(namespace).Get(name)
	if err != nil {
		return nil
	}
	return net.ParseIP(service.Spec.ClusterIP).To4()
}
