//! Where a refund comes from, and so who moves its money.

use crate::money::Money;
use crate::payment::fact;
use crate::text::Text;

fact!(
    /// The name of an [`Origin`].
    OriginName {
        /// Asked for over the API.
        Api = "api",
        /// Asked for in the console.
        Console = "console",
        /// Made at the processor, without us.
        Processor = "processor",
        /// Paid otherwise; no processor is asked.
        External = "external"
    }
);

/// How a refund was paid without the processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// In which way, such as `bank_transfer`.
    pub method: Text<64>,
    /// The payer's name for it, if there is one.
    pub reference: Option<Text<255>>,
}

/// Where a refund comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Asked for over the API; the processor is asked.
    Api,
    /// Asked for in the console; the processor is asked.
    Console,
    /// Made at the processor without us.
    Processor {
        /// What of it was no longer refundable: it moved, and the books have nothing to take it from.
        excess: Money,
    },
    /// Already paid otherwise; no processor knows of it.
    External(External),
}

impl Origin {
    /// Its name.
    pub fn name(&self) -> OriginName {
        match self {
            Self::Api => OriginName::Api,
            Self::Console => OriginName::Console,
            Self::Processor { .. } => OriginName::Processor,
            Self::External(_) => OriginName::External,
        }
    }

    /// The origin of these parts; the error names what is missing.
    pub fn of_parts(
        name: OriginName,
        external: Option<External>,
        excess: Money,
    ) -> Result<Self, &'static str> {
        Ok(match name {
            OriginName::Api => Self::Api,
            OriginName::Console => Self::Console,
            OriginName::Processor => Self::Processor { excess },
            OriginName::External => Self::External(external.ok_or("external is missing")?),
        })
    }

    /// How it was paid, if that was not through the processor.
    pub fn external(&self) -> Option<&External> {
        match self {
            Self::External(external) => Some(external),
            Self::Api | Self::Console | Self::Processor { .. } => None,
        }
    }

    /// What moved at the processor and could not be taken.
    pub fn excess(&self) -> Option<Money> {
        match self {
            Self::Processor { excess } => Some(*excess),
            Self::Api | Self::Console | Self::External(_) => None,
        }
    }
}
