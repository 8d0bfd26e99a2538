package node

import (
	"context"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// environment is what a container's programs find: nothing of this process, so that no secret of it gets there, and what
// the pod says, with the values of Secrets and ConfigMaps.
func environment(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, spec corev1.Container, dir string) ([]string, error) {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "HOSTNAME=" + pod.Name, "TERM=xterm", "LC_ALL=C.UTF-8"}
	for _, from := range spec.EnvFrom {
		more, err := imported(ctx, client, pod.Namespace, from)
		if err != nil {
			return nil, err
		}
		env = append(env, more...)
	}
	for _, e := range spec.Env {
		value, err := valueOf(ctx, client, pod, e)
		if err != nil {
			return nil, fmt.Errorf("variable %s: %w", e.Name, err)
		}
		env = append(env, e.Name+"="+value)
	}
	return env, nil
}

func imported(ctx context.Context, client kubernetes.Interface, namespace string, from corev1.EnvFromSource) (env []string, err error) {
	switch {
	case from.SecretRef != nil:
		secret, err := client.CoreV1().Secrets(namespace).Get(ctx, from.SecretRef.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		for name, value := range secret.Data {
			env = append(env, from.Prefix+name+"="+string(value))
		}
	case from.ConfigMapRef != nil:
		config, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, from.ConfigMapRef.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		for name, value := range config.Data {
			env = append(env, from.Prefix+name+"="+value)
		}
	}
	return env, nil
}

func valueOf(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod, e corev1.EnvVar) (string, error) {
	from := e.ValueFrom
	switch {
	case from == nil:
		return e.Value, nil
	case from.SecretKeyRef != nil:
		secret, err := client.CoreV1().Secrets(pod.Namespace).Get(ctx, from.SecretKeyRef.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		return string(secret.Data[from.SecretKeyRef.Key]), nil
	case from.ConfigMapKeyRef != nil:
		config, err := client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, from.ConfigMapKeyRef.Name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		return config.Data[from.ConfigMapKeyRef.Key], nil
	case from.FieldRef != nil:
		return field(pod, from.FieldRef.FieldPath)
	}
	return "", fmt.Errorf("its source is not known here")
}

func field(pod *corev1.Pod, path string) (string, error) {
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.hostIP":
		return "127.0.0.1", nil
	}
	return "", fmt.Errorf("field %s is not known here", path)
}
