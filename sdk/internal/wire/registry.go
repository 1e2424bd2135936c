package wire

import (
	"github.com/rollback-project/rollback/sdk/internal/pluginpb"
	"github.com/rollback-project/rollback/sdk/registry"
)

// EncodeListReleases translates a request.
func EncodeListReleases(r registry.ListRequest) *pluginpb.ListReleasesRequest {
	return &pluginpb.ListReleasesRequest{
		Repo: r.Repo, Pattern: r.Pattern, Branch: r.Branch, DateFrom: texts[string](r.DateFrom),
		Platform: r.Platform, NotAfter: encodeTime(r.NotAfter),
	}
}

// DecodeListReleases translates a request back.
func DecodeListReleases(r *pluginpb.ListReleasesRequest) registry.ListRequest {
	return registry.ListRequest{
		Repo: r.GetRepo(), Pattern: r.GetPattern(), Branch: r.GetBranch(),
		DateFrom: texts[registry.DateSource](r.GetDateFrom()),
		Platform: r.GetPlatform(), NotAfter: decodeTime(r.GetNotAfter()),
	}
}

// EncodeItem translates one message of a listing.
func EncodeItem(i registry.Item) *pluginpb.ReleaseItem {
	switch {
	case i.Listing != nil:
		return &pluginpb.ReleaseItem{Item: &pluginpb.ReleaseItem_Listing{Listing: EncodeListing(*i.Listing)}}
	case i.Release != nil:
		return &pluginpb.ReleaseItem{Item: &pluginpb.ReleaseItem_Release{Release: EncodeRelease(*i.Release)}}
	case i.Skipped != nil:
		return &pluginpb.ReleaseItem{Item: &pluginpb.ReleaseItem_Skipped{Skipped: EncodeSkipped(*i.Skipped)}}
	}
	return &pluginpb.ReleaseItem{}
}

// DecodeItem translates one message of a listing back; one of an unknown kind has no field set.
func DecodeItem(i *pluginpb.ReleaseItem) registry.Item {
	switch v := i.GetItem().(type) {
	case *pluginpb.ReleaseItem_Listing:
		l := DecodeListing(v.Listing)
		return registry.Item{Listing: &l}
	case *pluginpb.ReleaseItem_Release:
		r := DecodeRelease(v.Release)
		return registry.Item{Release: &r}
	case *pluginpb.ReleaseItem_Skipped:
		s := DecodeSkipped(v.Skipped)
		return registry.Item{Skipped: &s}
	}
	return registry.Item{}
}

// EncodeListing translates a listing's head.
func EncodeListing(l registry.Listing) *pluginpb.Listing {
	return &pluginpb.Listing{Repository: l.Repository, Tags: int64(l.Tags), Matched: int64(l.Matched)}
}

// DecodeListing translates a listing's head back.
func DecodeListing(l *pluginpb.Listing) registry.Listing {
	return registry.Listing{Repository: l.GetRepository(), Tags: int(l.GetTags()), Matched: int(l.GetMatched())}
}

// EncodeRelease translates a release.
func EncodeRelease(r registry.Release) *pluginpb.Release {
	return &pluginpb.Release{
		Repo: r.Repo, Tag: r.Tag, Digest: r.Digest, Created: encodeTime(r.Created),
		CreatedFrom: string(r.CreatedFrom), Labels: r.Labels,
	}
}

// DecodeRelease translates a release back.
func DecodeRelease(r *pluginpb.Release) registry.Release {
	return registry.Release{
		Repo: r.GetRepo(), Tag: r.GetTag(), Digest: r.GetDigest(), Created: decodeTime(r.GetCreated()),
		CreatedFrom: registry.DateSource(r.GetCreatedFrom()), Labels: r.GetLabels(),
	}
}

// EncodeSkipped translates a tag that is no release.
func EncodeSkipped(s registry.Skipped) *pluginpb.Skipped {
	return &pluginpb.Skipped{Tag: s.Tag, Digest: s.Digest, Reason: string(s.Reason), Detail: s.Detail}
}

// DecodeSkipped translates a tag that is no release back.
func DecodeSkipped(s *pluginpb.Skipped) registry.Skipped {
	return registry.Skipped{
		Tag: s.GetTag(), Digest: s.GetDigest(), Reason: registry.SkipReason(s.GetReason()), Detail: s.GetDetail(),
	}
}

// EncodeResolve translates a request.
func EncodeResolve(r registry.ResolveRequest) *pluginpb.ResolveRequest {
	return &pluginpb.ResolveRequest{
		Repo: r.Repo, Tag: r.Tag, Digest: r.Digest, Platform: r.Platform, Repository: r.Repository,
	}
}

// DecodeResolve translates a request back.
func DecodeResolve(r *pluginpb.ResolveRequest) registry.ResolveRequest {
	return registry.ResolveRequest{
		Repo: r.GetRepo(), Tag: r.GetTag(), Digest: r.GetDigest(), Platform: r.GetPlatform(), Repository: r.GetRepository(),
	}
}

// EncodeResolved translates what a reference is now.
func EncodeResolved(r registry.ResolveResult) *pluginpb.ResolveResponse {
	return &pluginpb.ResolveResponse{
		Found: r.Found, Digest: r.Digest, TagMoved: r.TagMoved, Pullable: r.Pullable, Missing: r.Missing,
		Created: encodeTime(r.Created), Labels: r.Labels,
	}
}

// DecodeResolved translates what a reference is now back.
func DecodeResolved(r *pluginpb.ResolveResponse) registry.ResolveResult {
	return registry.ResolveResult{
		Found: r.GetFound(), Digest: r.GetDigest(), TagMoved: r.GetTagMoved(), Pullable: r.GetPullable(),
		Missing: r.GetMissing(), Created: decodeTime(r.GetCreated()), Labels: r.GetLabels(),
	}
}
