// Package eks tells an API server who a token is of, as the control plane of EKS does: with the verifier and the mapping of
// aws-iam-authenticator.
package eks

import (
	"encoding/json"
	"net/http"
	"strings"

	authentication "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/aws-iam-authenticator/pkg/config"
	"sigs.k8s.io/aws-iam-authenticator/pkg/mapper/file"
	"sigs.k8s.io/aws-iam-authenticator/pkg/token"
)

// Reviewer answers TokenReviews of an API server.
type Reviewer struct {
	verifier token.Verifier
	roles    *file.FileMapper
}

// New makes a reviewer of tokens of one cluster. Roles, by their ARN, have an access entry with the groups.
func New(cluster, region string, roles map[string][]string) (*Reviewer, error) {
	var cfg config.Config
	for arn, groups := range roles {
		cfg.RoleMappings = append(cfg.RoleMappings, config.RoleMapping{RoleARN: arn, Username: username(arn), Groups: groups})
	}
	mapper, err := file.NewFileMapper(cfg)
	if err != nil {
		return nil, err
	}
	return &Reviewer{verifier: token.NewVerifier(cluster, "aws", region), roles: mapper}, nil
}

// username is what EKS calls who has assumed a role, where its access entry names no other.
func username(role string) string {
	assumed := strings.Replace(strings.Replace(role, ":iam:", ":sts:", 1), ":role/", ":assumed-role/", 1)
	return assumed + "/{{SessionName}}"
}

// ServeHTTP implements http.Handler.
func (v *Reviewer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review authentication.TokenReview
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer := authentication.TokenReview{
		TypeMeta: metav1.TypeMeta{APIVersion: authentication.SchemeGroupVersion.String(), Kind: "TokenReview"}, Status: v.review(review.Spec.Token),
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (v *Reviewer) review(bearer string) authentication.TokenReviewStatus {
	id, err := v.verifier.Verify(bearer)
	if err != nil {
		return authentication.TokenReviewStatus{Error: err.Error()}
	}
	entry, err := v.roles.Map(id)
	if err != nil {
		return authentication.TokenReviewStatus{Error: err.Error()}
	}
	return authentication.TokenReviewStatus{Authenticated: true, User: authentication.UserInfo{
		Username: strings.ReplaceAll(entry.Username, "{{SessionName}}", strings.ReplaceAll(id.SessionName, "@", "-")),
		UID:      "aws-iam-authenticator:" + id.AccountID + ":" + id.UserID, Groups: entry.Groups,
		Extra: map[string]authentication.ExtraValue{
			"arn": {id.ARN}, "canonicalArn": {id.CanonicalARN}, "sessionName": {id.SessionName}, "accessKeyId": {id.AccessKeyID}, "principalId": {id.UserID},
		},
	}}
}
