// Renders the Helm chart as `helm template` does and reads every object strictly by its Kubernetes type: an unknown
// field, a wrong type or a missing selector is an error. Usage: check [--print] CHART [VALUES.yaml ...]; --print shows
// what was rendered instead.
package main

import (
	"fmt"
	"log"
	"os"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// certificate is what the chart uses of cert-manager.io/v1.
type certificate struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		SecretName  string            `json:"secretName"`
		Duration    metav1.Duration   `json:"duration"`
		RenewBefore metav1.Duration   `json:"renewBefore"`
		IssuerRef   map[string]string `json:"issuerRef"`
		PrivateKey  struct {
			Algorithm      string `json:"algorithm"`
			Size           int    `json:"size"`
			RotationPolicy string `json:"rotationPolicy"`
		} `json:"privateKey"`
		Usages   []string `json:"usages"`
		URIs     []string `json:"uris"`
		DNSNames []string `json:"dnsNames"`
	} `json:"spec"`
}

var kinds = map[string]func() any{
	"apps/v1 Deployment":                     func() any { return &appsv1.Deployment{} },
	"autoscaling/v2 HorizontalPodAutoscaler": func() any { return &autoscalingv2.HorizontalPodAutoscaler{} },
	"batch/v1 Job":                           func() any { return &batchv1.Job{} },
	"v1 ConfigMap":                           func() any { return &corev1.ConfigMap{} },
	"v1 Service":                             func() any { return &corev1.Service{} },
	"v1 ServiceAccount":                      func() any { return &corev1.ServiceAccount{} },
	"networking.k8s.io/v1 NetworkPolicy":     func() any { return &networkingv1.NetworkPolicy{} },
	"policy/v1 PodDisruptionBudget":          func() any { return &policyv1.PodDisruptionBudget{} },
	"cert-manager.io/v1 Certificate":         func() any { return &certificate{} },
}

// checkPods holds what Kubernetes itself would refuse: a selector that does not match, a mount without its volume.
func checkPods(deployment *appsv1.Deployment) error {
	labels := deployment.Spec.Template.Labels
	for key, value := range deployment.Spec.Selector.MatchLabels {
		if labels[key] != value {
			return fmt.Errorf("selector %s=%s is not a label of the pods", key, value)
		}
	}
	volumes := map[string]bool{}
	for _, volume := range deployment.Spec.Template.Spec.Volumes {
		volumes[volume.Name] = true
	}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		ports := map[string]bool{}
		for _, port := range container.Ports {
			ports[port.Name] = true
		}
		if probe := container.ReadinessProbe; probe == nil || !ports[probe.HTTPGet.Port.StrVal] {
			return fmt.Errorf("%s has no readiness probe on a port of its own", container.Name)
		}
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				return fmt.Errorf("%s mounts %s, which is no volume", container.Name, mount.Name)
			}
		}
	}
	return nil
}

func checkObject(text string) (string, error) {
	var head struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        metav1.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal([]byte(text), &head); err != nil {
		return "", err
	}
	name := fmt.Sprintf("%s %s %s", head.APIVersion, head.Kind, head.Metadata.Name)
	make, known := kinds[head.APIVersion+" "+head.Kind]
	if !known {
		return name, fmt.Errorf("is of no kind that this check knows")
	}
	object := make()
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		return name, err
	}
	if deployment, ok := object.(*appsv1.Deployment); ok {
		return name, checkPods(deployment)
	}
	return name, nil
}

func render(args []string) map[string]string {
	chart, err := loader.Load(args[0])
	if err != nil {
		log.Fatal(err)
	}
	values := chartutil.Values{}
	for _, path := range args[1:] {
		more, err := chartutil.ReadValuesFile(path)
		if err != nil {
			log.Fatal(err)
		}
		values = chartutil.CoalesceTables(more, values)
	}
	options := chartutil.ReleaseOptions{Name: "chappe", Namespace: "chat", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, options, nil)
	if err != nil {
		log.Fatal(err)
	}
	rendered, err := engine.Render(chart, all)
	if err != nil {
		log.Fatal(err)
	}
	return rendered
}

func main() {
	args, show := os.Args[1:], false
	if len(args) > 0 && args[0] == "--print" {
		args, show = args[1:], true
	}
	rendered := render(args)
	count, bad := map[string]int{}, 0
	for path, text := range rendered {
		if !strings.HasSuffix(path, ".yaml") {
			continue
		}
		if show {
			fmt.Println(text)
			continue
		}
		for _, object := range strings.Split("\n"+text, "\n---") {
			if strings.TrimSpace(strings.Trim(object, "\n")) == "" || onlyComments(object) {
				continue
			}
			name, err := checkObject(object)
			if err != nil {
				bad++
				fmt.Printf("%s: %s: %v\n", path, name, err)
				continue
			}
			count[strings.Join(strings.Fields(name)[:2], " ")]++
		}
	}
	lines := []string{}
	for kind, n := range count {
		lines = append(lines, fmt.Sprintf("%d %s", n, kind))
	}
	sort.Strings(lines)
	fmt.Println(strings.Join(lines, "\n"))
	if bad > 0 {
		os.Exit(1)
	}
}

func onlyComments(text string) bool {
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}
