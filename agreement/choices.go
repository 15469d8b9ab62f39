package agreement

// The closed lists of the format, in the order in which a reader is told of them.

func (Signing) choices() []string {
	return texts(SignsAlways, SignsNever)
}

func (Role) choices() []string {
	return texts(Host, Guest, Marketplace, Seller, Publisher, Wallet, Store, App, Advertiser, Carrier, DataHolder, DataUser, Platform, Operator, Observer)
}

func (OpenKind) choices() []string {
	return texts(OpenAny, OpenMerchant, OpenPublisher, OpenApp, OpenWallet, OpenPlatform, OpenDataHolder)
}

func (Kind) choices() []string {
	return texts(Link, Payment, Refund, Conversion)
}

func (Rounding) choices() []string {
	return texts(HalfUp, Down, Up)
}

func (OnRefund) choices() []string {
	return texts(Returned, Kept)
}

func (TierBy) choices() []string {
	return texts(ByClass, ByVolume)
}

func (TierMode) choices() []string {
	return texts(Marginal, Whole)
}

func (TierPeriod) choices() []string {
	return texts(Month, Year)
}

func (ShareRule) choices() []string {
	return texts(LastTouch, UniqueUniform)
}

func (DisclosureLevel) choices() []string {
	return texts(Itemised, TotalOnly)
}

func (OpenMode) choices() []string {
	return texts(Direct, Confirm)
}

func (Netting) choices() []string {
	return texts(GrossClaims, Bilateral, Multilateral)
}

func (OfferKind) choices() []string {
	return texts(OfferClosed, OfferOpen, OfferJoint, OfferCounter)
}

func (SourceKind) choices() []string {
	return texts(Press, Law, Contract)
}

func texts[T ~string](all ...T) []string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = string(one)
	}
	return out
}
