# Certificates with openssl alone: one process each, ECDSA P-256 throughout.

# authority NAME COMMON_NAME
authority() {
  openssl req -x509 -config "$run/openssl.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$2" \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,digitalSignature,keyCertSign' -addext 'subjectKeyIdentifier=hash' \
    -keyout "$pki/$1.key" -out "$pki/$1.crt" 2>>"$run/openssl.log"
}

# issue NAME AUTHORITY SUBJECT USAGES [SANS]
issue() {
  openssl req -x509 -config "$run/openssl.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "$3" \
    -CA "$pki/$2.crt" -CAkey "$pki/$2.key" \
    -addext 'basicConstraints=critical,CA:FALSE' -addext 'keyUsage=critical,digitalSignature' -addext "extendedKeyUsage=$4" \
    -addext 'authorityKeyIdentifier=keyid' ${5:+-addext "subjectAltName=$5"} \
    -keyout "$pki/$1.key" -out "$pki/$1.crt" 2>>"$run/openssl.log"
}

# kubeconfig FILE SERVER CERTIFICATE_NAME: credentials embedded.
kubeconfig() {
  cat >"$1" <<EOF
apiVersion: v1
kind: Config
clusters:
  - name: cluster
    cluster:
      server: $2
      certificate-authority-data: $(base64 -w0 "$pki/ca.crt")
contexts:
  - name: default
    context: { cluster: cluster, user: default }
current-context: default
users:
  - name: default
    user:
      client-certificate-data: $(base64 -w0 "$pki/$3.crt")
      client-key-data: $(base64 -w0 "$pki/$3.key")
EOF
}

# What needs no fact of a host.
cluster_pki() {
  printf '[req]\ndistinguished_name = dn\n[dn]\n' >"$run/openssl.cnf"
  authority ca kubernetes &
  authority etcd-ca etcd &
  authority front-proxy-ca front-proxy &
  authority kubelet-client-ca kubelet-client &
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$pki/sa.key" 2>>"$run/openssl.log"
  openssl pkey -in "$pki/sa.key" -pubout -out "$pki/sa.pub"
  wait
  cat "$pki/ca.crt" "$pki/kubelet-client-ca.crt" >"$pki/client-ca.crt"
  issue apiserver-etcd-client etcd-ca '/CN=kube-apiserver-etcd-client' clientAuth
  issue apiserver-kubelet-client ca '/CN=kube-apiserver-kubelet-client' clientAuth
  issue front-proxy-client front-proxy-ca '/CN=front-proxy-client' clientAuth
  issue admin ca '/O=slipway:cluster-admins/CN=kubernetes-admin' clientAuth
  issue super-admin ca '/O=system:masters/CN=kubernetes-super-admin' clientAuth
  issue controller-manager ca '/CN=system:kube-controller-manager' clientAuth
  issue scheduler ca '/CN=system:kube-scheduler' clientAuth
}

# control_plane_pki NAME ADDRESS
control_plane_pki() {
  issue etcd-server etcd-ca "/CN=$1" serverAuth,clientAuth "DNS:$1,DNS:localhost,IP:127.0.0.1,IP:$2"
  issue etcd-peer etcd-ca "/CN=$1" serverAuth,clientAuth "DNS:$1,IP:$2"
  issue apiserver ca '/CN=kube-apiserver' serverAuth \
    "DNS:$1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$2,IP:$api_service_address"
}

# node_pki NAME ADDRESS
node_pki() {
  issue "$1-kubelet-client" kubelet-client-ca "/O=system:nodes/CN=system:node:$1" clientAuth
  issue "$1-kubelet" ca "/O=system:nodes/CN=system:node:$1" serverAuth "DNS:$1,IP:$2"
  issue "$1-proxy" ca '/CN=system:kube-proxy' clientAuth
  issue "$1-flannel" ca '/CN=slipway:flannel' clientAuth
  issue "$1-api-endpoint" ca '/CN=slipway:api-endpoint' clientAuth
}
