import { describe, expect, test } from '@jest/globals';
import { artefactsFor, componentVersions, filesOf, imageReference, kubernetesVersions } from '../../../src/artifacts/catalogue.ts';
import { recipeOf } from '../../../src/artifacts/go/recipes.ts';

describe('the catalogue', () => {
  test.each(kubernetesVersions)('names for Kubernetes %s every binary at its own version', (kubernetesVersion) => {
    const artefacts = artefactsFor({ kubernetesVersion, arch: 'amd64' });
    expect(Object.fromEntries(artefacts.map(({ name, version }) => [name, version]))).toMatchObject({
      'kube-apiserver': kubernetesVersion,
      kubelet: kubernetesVersion,
      etcd: '3.6.8',
      containerd: '2.4.2',
      'image-coredns': '1.15.0',
    });
    expect(artefacts.map(({ name }) => name)).toEqual(artefacts.map(({ name }) => name).sort());
  });

  test.each(kubernetesVersions)('has a Go recipe that makes exactly the files of every artefact of %s', (kubernetesVersion) => {
    for (const arch of ['amd64', 'arm64'] as const)
      for (const artefact of artefactsFor({ kubernetesVersion, arch, metricsServer: true })) {
        const recipe = recipeOf(artefact);
        const built = [...recipe.go.flatMap(({ packages }) => Object.keys(packages)), ...(recipe.c ? [recipe.c.output] : [])];
        if (recipe.image) expect(built).toEqual([recipe.image.binary]);
        else expect(built.sort()).toEqual([...artefact.files].sort());
      }
  });

  test('has metrics-server only when asked for', () => {
    const names = (metricsServer: boolean): string[] =>
      artefactsFor({ kubernetesVersion: '1.36.3', arch: 'amd64', metricsServer }).map(({ name }) => name);
    expect(names(true).filter((name) => !names(false).includes(name))).toEqual(['image-metrics-server']);
  });

  test('refuses a version it does not know and lists those it does', () => {
    expect(() => componentVersions('1.29.0')).toThrow(
      expect.objectContaining({ code: 'ARTIFACT_VERSION_UNKNOWN', category: 'usage', hint: expect.stringContaining('1.36.3') }),
    );
  });

  test('names images as upstream does', () => {
    expect(imageReference('image-pause', '3.10.2')).toBe('registry.k8s.io/pause:3.10.2');
    expect(imageReference('image-coredns', '1.15.0')).toBe('registry.k8s.io/coredns/coredns:v1.15.0');
    expect(imageReference('image-agnhost', '1.36.3')).toBe('registry.k8s.io/e2e-test-images/agnhost:2.63.0');
    expect(imageReference('image-agnhost', '1.34.4')).toBe('registry.k8s.io/e2e-test-images/agnhost:2.56');
  });

  test('knows the files of an artefact by its name', () => {
    expect(filesOf('etcd')).toEqual(['etcd', 'etcdctl', 'etcdutl']);
    expect(filesOf('image-pause')).toEqual(['image-pause.tar']);
    expect(() => filesOf('kubeadm')).toThrow('no artefact is called kubeadm');
  });
});
